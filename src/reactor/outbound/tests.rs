//! Rings against queues of bytes.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// The obvious way: a queue of bytes.
struct Queue {
    bytes: VecDeque<u8>,
    bytes_max: usize,
}

#[derive(Clone, Debug)]
enum Op {
    Push { ring: usize, len: usize },
    Advance { ring: usize, part: usize },
    Limit { ring: usize, bytes_max: usize },
    Clear { ring: usize },
}

fn op() -> impl Strategy<Value = Op> {
    let ring = 0..3usize;
    let len = prop_oneof![8 => 0..9usize, 2 => 0..700usize];
    prop_oneof![
        6 => (ring.clone(), len).prop_map(|(ring, len)| Op::Push { ring, len }),
        4 => (ring.clone(), 0..=100usize).prop_map(|(ring, part)| Op::Advance { ring, part }),
        1 => (ring.clone(), 0..4000usize)
            .prop_map(|(ring, bytes_max)| Op::Limit { ring, bytes_max }),
        1 => ring.prop_map(|ring| Op::Clear { ring }),
    ]
}

/// What a vectored write would send.
fn gathered(ring: &Outbound, pool: &FramePool) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); IOVECS_MAX];
    let count = ring.fill_iovecs(pool, &mut slices);
    assert!(slices[..count].iter().all(|slice| !slice.is_empty()));
    slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect()
}

fn step(ring: &mut Outbound, pool: &mut FramePool, queue: &mut Queue, op: &Op, fill: u8) {
    match *op {
        Op::Push { len, .. } => {
            let fits = len <= queue.bytes_max.saturating_sub(queue.bytes.len());
            let frame = vec![fill; len];
            if fits {
                queue.bytes.extend(&frame);
            }
            assert_eq!(ring.push(pool, frame.into()), fits.then_some(()).ok_or(Overflow));
        }
        Op::Advance { part, .. } => {
            let sent = queue.bytes.len() * part / 100;
            queue.bytes.drain(..sent);
            ring.advance(pool, sent);
        }
        Op::Limit { bytes_max, .. } => {
            queue.bytes_max = bytes_max;
            ring.limit(bytes_max);
        }
        Op::Clear { .. } => {
            queue.bytes.clear();
            ring.clear(pool);
        }
    }
    assert_eq!(ring.queued(), queue.bytes.len());
    assert_eq!(ring.is_empty(), queue.bytes.is_empty());
    let wire = gathered(ring, pool);
    assert!(wire.iter().eq(queue.bytes.iter().take(wire.len())));
    assert!(wire.starts_with(ring.front(pool)));
    assert!(wire.len() == queue.bytes.len() || usize::from(ring.frames) > IOVECS_MAX);
    let (part, mut copy) = (queue.bytes.len() * 2 / 3, Vec::new());
    assert_eq!(ring.copy_front(pool, part, &mut copy), part);
    assert!(copy.iter().eq(queue.bytes.iter().take(part)));
}

proptest! {
    #[test]
    fn rings_that_share_a_pool_are_queues_of_bytes(
        ops in prop::collection::vec(op(), 0..600),
    ) {
        let mut pool = FramePool::new();
        let mut rings = [(); 3].map(|()| Outbound::new(2000));
        let mut queues = [(); 3].map(|()| Queue { bytes: VecDeque::new(), bytes_max: 2000 });
        for (nth, op) in ops.iter().enumerate() {
            let (Op::Push { ring, .. }
            | Op::Advance { ring, .. }
            | Op::Limit { ring, .. }
            | Op::Clear { ring }) = *op;
            let fill = u8::try_from(nth % 251).unwrap();
            step(&mut rings[ring], &mut pool, &mut queues[ring], op, fill);
        }
        for ring in &mut rings {
            ring.clear(&mut pool);
        }
        prop_assert_eq!((pool.in_use(), pool.queued_bytes()), (0, 0));
    }
}

#[test]
fn a_ring_of_tiny_frames_is_laid_end_to_end() {
    let mut pool = FramePool::new();
    let mut ring = Outbound::new(1 << 20);
    let mut expect = Vec::new();
    for nth in 0..10_000u32 {
        let frame = nth.to_be_bytes();
        expect.extend(frame);
        ring.push(&mut pool, SharedFrame::copy_from_slice(&frame)).unwrap();
        assert!(ring.frames <= FRAMES_MAX);
    }
    assert!(pool.nodes.capacity() <= usize::from(FRAMES_MAX));
    let mut wire = Vec::new();
    while !ring.is_empty() {
        let part = gathered(&ring, &pool);
        ring.advance(&mut pool, part.len());
        wire.extend(part);
    }
    assert_eq!(wire, expect);
}

#[test]
fn the_limit_is_exact_and_refusal_changes_nothing() {
    let mut pool = FramePool::new();
    let mut ring = Outbound::new(10);
    let frame = SharedFrame::from_static(b"12345");
    assert_eq!(ring.push(&mut pool, frame.clone()), Ok(()));
    assert_eq!(ring.push(&mut pool, frame.clone()), Ok(()));
    assert_eq!(ring.push(&mut pool, frame.slice(..1)), Err(Overflow));
    assert_eq!((ring.queued(), pool.in_use()), (10, 2));
}

#[test]
fn a_frame_is_let_go_as_soon_as_it_has_left() {
    let mut pool = FramePool::new();
    let mut ring = Outbound::new(10);
    let frame = SharedFrame::from(vec![1, 2, 3]);
    ring.push(&mut pool, frame.clone()).unwrap();
    assert!(!frame.is_unique());
    ring.advance(&mut pool, 3);
    assert!(frame.is_unique());
}

#[test]
fn small_frames_that_wait_do_not_keep_the_buffer_that_they_are_parts_of() {
    let mut pool = FramePool::new();
    let mut ring = Outbound::new(1 << 20);
    let buffer = SharedFrame::from(vec![7; 16 * 1024]);
    for range in [0..10, 10..20, 20..30] {
        ring.push(&mut pool, buffer.slice(range)).unwrap();
    }
    ring.advance(&mut pool, 5);
    ring.detach(&mut pool);
    assert!(buffer.is_unique());
    assert_eq!(gathered(&ring, &pool), vec![7; 25]);
    for (len, is_copied) in [(DETACHED_LEN_MAX, true), (DETACHED_LEN_MAX + 1, false)] {
        ring.push(&mut pool, buffer.slice(..len)).unwrap();
        ring.detach(&mut pool);
        assert_eq!(buffer.is_unique(), is_copied, "what is large is not copied: {len}");
    }
    ring.clear(&mut pool);
    assert_eq!((pool.in_use(), pool.queued_bytes()), (0, 0));
}

#[test]
fn sizes_are_as_stated() {
    assert!(size_of::<Outbound>() <= 20 && size_of::<Node>() <= 40);
}

#[test]
fn the_nodes_of_a_burst_are_given_back_when_nothing_has_waited_for_a_while() {
    let mut pool = FramePool::new();
    let mut ring = Outbound::new(1_000);
    let second = |n: u64| Tick::from_millis(n * 1_000);
    ring.push(&mut pool, SharedFrame::from_static(b"burst")).unwrap();
    pool.trim(second(1));
    pool.trim(second(9));
    assert!(pool.nodes.capacity() > 0, "the nodes of what waits are kept");
    ring.advance(&mut pool, 5);
    assert_eq!(pool.trim_at(), Tick::MAX);
    pool.trim(second(10));
    assert!(pool.nodes.capacity() > 0, "the next burst may be near");
    assert_eq!(pool.trim_at(), second(11));
    ring.push(&mut pool, SharedFrame::from_static(b"burst")).unwrap();
    ring.advance(&mut pool, 5);
    pool.trim(second(11));
    assert!(pool.nodes.capacity() > 0, "there was another burst");
    assert_eq!(pool.trim_at(), second(12));
    pool.trim(second(12));
    assert_eq!((pool.nodes.capacity(), pool.trim_at()), (0, Tick::MAX));
    ring.push(&mut pool, SharedFrame::from_static(b"again")).unwrap();
    assert_eq!((pool.in_use(), ring.queued()), (1, 5));
}

#[test]
fn what_is_put_in_front_comes_first_beyond_the_limit_if_need_be() {
    let mut pool = FramePool::new();
    let mut ring = Outbound::new(6);
    ring.prepend(&mut pool, SharedFrame::from_static(b"12"));
    assert_eq!((gathered(&ring, &pool), ring.queued()), (b"12".to_vec(), 2));
    ring.push(&mut pool, SharedFrame::from_static(b"3456")).unwrap();
    ring.advance(&mut pool, 3);
    ring.prepend(&mut pool, SharedFrame::from_static(b"abcdef"));
    ring.prepend(&mut pool, SharedFrame::new());
    assert_eq!(gathered(&ring, &pool), b"abcdef456");
    assert_eq!((ring.queued(), pool.queued_bytes()), (9, 9));
    let mut copy = Vec::new();
    assert_eq!(ring.copy_front(&pool, 8, &mut copy), 8);
    assert_eq!(ring.copy_front(&pool, 100, &mut copy), 9);
    assert_eq!(copy, b"abcdef45abcdef456");
    ring.push(&mut pool, SharedFrame::from_static(b"x")).unwrap_err();
    ring.clear(&mut pool);
    assert_eq!((pool.in_use(), pool.queued_bytes()), (0, 0));
}

#[test]
fn a_ring_that_is_full_of_pieces_takes_one_more_in_front() {
    let mut pool = FramePool::new();
    let mut ring = Outbound::new(1 << 20);
    for _ in 0..FRAMES_MAX {
        ring.push(&mut pool, SharedFrame::from_static(b"x")).unwrap();
    }
    ring.prepend(&mut pool, SharedFrame::from_static(b"first"));
    assert_eq!((ring.frames(), ring.queued()), (2, 5 + usize::from(FRAMES_MAX)));
    assert!(gathered(&ring, &pool).starts_with(b"firstxx"));
    ring.clear(&mut pool);
}
