//! The timer wheel: what a deadline costs.

use std::hint::black_box;

use chinwag::time::Tick;
use chinwag::time::wheel::{TimerId, TimerWheel};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

/// As many as a loaded server has: one a connection.
const TIMERS: u64 = 10_000;

/// Deadlines as pings are spread: within 25 s.
fn deadline(nth: u64) -> Tick {
    Tick::from_millis(1 + nth.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 25_000)
}

fn filled() -> (TimerWheel<u64>, Vec<TimerId>) {
    let mut wheel = TimerWheel::new();
    let ids = (0..TIMERS).map(|nth| wheel.arm(deadline(nth), nth)).collect();
    (wheel, ids)
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("wheel, 10,000 timers");
    group.throughput(Throughput::Elements(TIMERS));
    group.bench_function("arm", |b| {
        b.iter_batched_ref(
            || {
                let (mut wheel, ids) = filled();
                for id in ids {
                    wheel.cancel(id);
                }
                wheel
            },
            |wheel| (0..TIMERS).for_each(|nth| _ = black_box(wheel.arm(deadline(nth), nth))),
            BatchSize::LargeInput,
        );
    });
    group.bench_function("cancel", |b| {
        b.iter_batched_ref(
            filled,
            |(wheel, ids)| ids.iter().for_each(|id| _ = black_box(wheel.cancel(*id))),
            BatchSize::LargeInput,
        );
    });
    group.bench_function("fire, a turn each millisecond for 25 s", |b| {
        b.iter_batched_ref(
            filled,
            |(wheel, _)| {
                for now in 0..=25_000 {
                    while let Some(key) = wheel.poll(Tick::from_millis(now)) {
                        black_box(key);
                    }
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
    c.bench_function("wheel, nothing due", |b| {
        let (mut wheel, _) = filled();
        b.iter(|| (black_box(wheel.next_deadline()), wheel.poll(Tick::ZERO)));
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
