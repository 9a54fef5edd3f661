//! Inflating one message at a time, bounded: RFC 7692 section 7.2.2.

use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};

use super::Violation;

/// Bytes of the output buffer at first and between messages: enough for nearly all, without pinning
/// the memory of a large one.
const OUTPUT_LEN_KEPT: usize = 16 * 1024;

/// Bytes appended to a message: the end of the sync flush that its sender removed (section 7.2.2),
/// and an empty final block, which a message that stops in the middle of a block does not reach.
const TAIL: [u8; 9] = [0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff];

/// One decompressor for all connections: there is no context takeover, so each message begins anew.
///
/// It inflates with the largest window, which reads what was made with any smaller one. About 45
/// KiB, from the first compressed message on.
#[derive(Default)]
pub struct Inflater {
    stream: Option<Box<Decompress>>,
    /// Initialised bytes, of which the first few are the last message.
    output: Vec<u8>,
}

impl Inflater {
    /// Returns the message that `payload` holds, which is at most `len_max` bytes long.
    ///
    /// The output buffer grows with what comes out, to `len_max` + 1 bytes at most; it is shared,
    /// and given back by [`Inflater::trim`].
    ///
    /// # Errors
    ///
    /// [`Violation::MessageTooLong`] as soon as the byte after the last allowed one came out,
    /// [`Violation::InvalidDeflate`] for anything but whole blocks.
    pub fn inflate(&mut self, payload: &[u8], len_max: usize) -> Result<&[u8], Violation> {
        let stream = self.stream.get_or_insert_with(|| Box::new(Decompress::new(false)));
        let output = &mut self.output;
        let mut run = Run { stream, output, len: 0, len_max, ended: true };
        run.push(payload)?;
        // A final block that ends with the payload needs no tail: its sender flushed by finishing.
        if !run.ended {
            run.push(&TAIL)?;
        }
        if !run.ended {
            return Err(Violation::InvalidDeflate);
        }
        let len = run.len;
        Ok(self.output.get(..len).unwrap_or_default())
    }

    /// Bytes that the output buffer holds.
    #[cfg(test)]
    pub(super) fn output_len(&self) -> usize {
        self.output.len()
    }

    /// Gives back what a large message took.
    pub fn trim(&mut self) {
        if self.output.len() > OUTPUT_LEN_KEPT {
            self.output = Vec::new();
        }
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("output_len", &self.output.len()).finish_non_exhaustive()
    }
}

/// One message's way through the decompressor.
struct Run<'a> {
    stream: &'a mut Decompress,
    output: &'a mut Vec<u8>,
    /// Bytes of `output` that are filled; at most `len_max`.
    len: usize,
    len_max: usize,
    /// Whether the input so far ends with a final block (BFINAL), or is empty. What follows begins
    /// a new stream (section 7.2.3.4).
    ended: bool,
}

impl Run<'_> {
    fn push(&mut self, mut input: &[u8]) -> Result<(), Violation> {
        let mut full = false;
        // A full buffer may hide that more is to come out, although all input is taken.
        while !input.is_empty() || (full && !self.ended) {
            if self.ended {
                // A final block ends the stream, and what follows it is another (RFC 7692 section
                // 7.2.3.4).
                self.stream.reset(false);
                self.ended = false;
            }
            let (taken, made) = self.step(input)?;
            input = input.get(taken..).unwrap_or_default();
            full = self.len == self.output.len();
            // No progress without a reason: what is left can never be inflated, and the loop would
            // not end.
            if taken == 0 && made == 0 && !self.ended && !full {
                break;
            }
        }
        if input.is_empty() { Ok(()) } else { Err(Violation::InvalidDeflate) }
    }

    /// Inflates until the input or the room is used up; returns the bytes taken and made.
    fn step(&mut self, input: &[u8]) -> Result<(usize, usize), Violation> {
        self.grow();
        let (taken, made) = (self.stream.total_in(), self.stream.total_out());
        let room = self.output.get_mut(self.len..).unwrap_or_default();
        let Ok(status) = self.stream.decompress(input, room, FlushDecompress::None) else {
            return Err(Violation::InvalidDeflate);
        };
        self.ended = status == Status::StreamEnd;
        let taken = usize::try_from(self.stream.total_in() - taken).unwrap_or(usize::MAX);
        let made = usize::try_from(self.stream.total_out() - made).unwrap_or(usize::MAX);
        self.len += made;
        // Judged by what has come out, as it comes: a few bytes can hold a thousand times as many.
        if self.len > self.len_max {
            return Err(Violation::MessageTooLong { len_max: self.len_max });
        }
        Ok((taken, made))
    }

    /// Doubles a full buffer, but to one byte more than the limit at most: a message that fills
    /// that byte is too long.
    fn grow(&mut self) {
        if self.len < self.output.len() {
            return;
        }
        let doubled = self.output.len().saturating_mul(2).max(OUTPUT_LEN_KEPT);
        let len = doubled.min(self.len_max.saturating_add(1));
        self.output.reserve_exact(len.saturating_sub(self.output.len()));
        self.output.resize(len.max(self.output.len()), 0);
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression, FlushCompress};

    use super::*;

    #[track_caller]
    fn check(payload: &[u8], len_max: usize, expect: Result<&[u8], Violation>) {
        let mut inflater = Inflater::default();
        // Twice: a message leaves nothing behind for the next.
        for _ in 0..2 {
            assert_eq!(inflater.inflate(payload, len_max), expect);
        }
    }

    /// `data` as a message, made by zlib's streaming interface with the flush given.
    fn deflate(data: &[u8], flush: FlushCompress) -> Vec<u8> {
        let mut compress = Compress::new(Compression::default(), false);
        let mut payload = Vec::with_capacity(data.len() + data.len() / 8 + 1024);
        compress.compress_vec(data, &mut payload, flush).unwrap();
        payload
    }

    fn deflate_message(data: &[u8]) -> Vec<u8> {
        let payload = deflate(data, FlushCompress::Sync);
        payload.strip_suffix(&[0, 0, 0xff, 0xff]).unwrap().to_vec()
    }

    #[test]
    fn the_examples_of_rfc_7692_are_read() {
        let hello = Ok(&b"Hello"[..]);
        // 7.2.3.1: one block with fixed codes.
        check(b"\xf2\x48\xcd\xc9\xc9\x07\x00", 5, hello);
        // 7.2.3.3: a block without compression.
        check(b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 5, hello);
        // 7.2.3.4: a final block, and an empty one after it.
        check(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 5, hello);
        // 7.2.3.5: two blocks.
        check(b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 5, hello);
        // 7.2.3.6: an empty message.
        check(b"\x00", 0, Ok(b""));
    }

    #[test]
    fn context_takeover_which_was_never_agreed_upon_finds_no_window() {
        // 7.2.3.2: the second message refers to the first.
        check(b"\xf2\x00\x11\x00\x00", 5, Err(Violation::InvalidDeflate));
    }

    #[test]
    fn a_final_block_may_end_the_message_and_another_stream_may_follow() {
        let mut twice = deflate(b"Hello", FlushCompress::Finish);
        check(&twice, 5, Ok(b"Hello"));
        twice.extend(deflate(b", world", FlushCompress::Finish));
        check(&twice, 12, Ok(b"Hello, world"));
        twice.extend(deflate_message(b"!"));
        check(&twice, 13, Ok(b"Hello, world!"));
        check(&twice, 12, Err(Violation::MessageTooLong { len_max: 12 }));
    }

    #[test]
    fn nothing_at_all_is_an_empty_message() {
        check(b"", 0, Ok(b""));
    }

    #[test]
    fn the_limit_is_exact() {
        for len in [1, 15, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 100_000] {
            for data in [vec![0; len], noise().take(len).collect()] {
                for payload in [deflate_message(&data), deflate(&data, FlushCompress::Finish)] {
                    let len_max = len - 1;
                    check(&payload, len_max, Err(Violation::MessageTooLong { len_max }));
                    check(&payload, len, Ok(&data));
                    check(&payload, len + 1, Ok(&data));
                }
            }
        }
    }

    #[test]
    fn a_bomb_is_refused_early_and_takes_no_more_than_the_limit() {
        let bomb = deflate_message(&vec![0; 16 << 20]);
        assert!(bomb.len() < 32 * 1024);
        let mut inflater = Inflater::default();
        for len_max in [0, 1, 16 * 1024, 100_000, 1 << 20] {
            let refused = inflater.inflate(&bomb, len_max);
            assert_eq!(refused, Err(Violation::MessageTooLong { len_max }));
            assert!(inflater.output.capacity() <= len_max + 16 * 1024);
            let stream = inflater.stream.as_ref().unwrap();
            assert!(stream.total_out() <= u64::try_from(inflater.output.len()).unwrap());
            inflater.trim();
            assert!(inflater.output.capacity() <= OUTPUT_LEN_KEPT);
        }
    }

    #[test]
    fn what_is_cut_short_is_refused_and_not_cut_shorter() {
        let data: Vec<u8> = noise().take(3000).map(|byte| byte & 0x0f).collect();
        let payload = deflate_message(&data);
        for end in 1..payload.len() {
            check(&payload[..end], 10_000, Err(Violation::InvalidDeflate));
        }
    }

    #[test]
    fn what_is_no_deflate_data_is_refused() {
        for payload in [&b"\xff"[..], b"\x07", b"Hello", b"\x00\x05\x00\xfa\xfe", b"\x03\x00\xff"] {
            check(payload, 100, Err(Violation::InvalidDeflate));
        }
    }

    #[test]
    fn many_empty_streams_take_time_in_proportion() {
        // 50,000 final blocks of two bytes; a reset that cost much would show here.
        check(&b"\x03\x00".repeat(50_000), 0, Ok(b""));
    }

    /// Bytes that do not compress, the same each time.
    fn noise() -> impl Iterator<Item = u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        std::iter::repeat_with(move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
    }
}
