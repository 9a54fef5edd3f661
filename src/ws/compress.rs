//! Compressing one message at a time: RFC 7692 section 7.2.1.

use std::fmt;

use flate2::{Compress, Compression, FlushCompress, Status};

use super::WindowBits;

/// The end of every sync flush, which is not sent (section 7.2.1).
const FLUSH_TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// Bytes of the output buffer that are kept between messages: enough for nearly all, without
/// pinning the memory of a large one.
const OUTPUT_LEN_KEPT: usize = 64 * 1024;
/// The level, 0–9: higher ones cost more time than they save bytes on messages of chat size.
const LEVEL: u32 = 3;

/// Which messages are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressPolicy {
    /// Those of at least `len_min` bytes that become smaller. Below some 512 bytes the work is
    /// rarely worth the bytes.
    WherePays {
        /// The shortest message that is tried, in bytes.
        len_min: usize,
    },
    /// All, even those that grow: for conformance suites.
    Always,
}

impl Default for CompressPolicy {
    fn default() -> Self {
        Self::WherePays { len_min: 512 }
    }
}

/// The compressors for all connections, one for each size of window, made when first used.
///
/// There is no context takeover: each message is compressed from an empty window, so one compressor
/// serves everyone, and what it made can be sent to many. A compressor takes about 300 KiB at 15
/// bits and less below; there are at most seven.
pub struct Compressor {
    policy: CompressPolicy,
    streams: [Option<Box<Compress>>; WindowBits::ALL.len()],
    /// Initialised bytes, of which the first few are the last result.
    output: Vec<u8>,
}

impl Compressor {
    /// A compressor with the given policy.
    #[must_use]
    pub fn new(policy: CompressPolicy) -> Self {
        Self { policy, streams: Default::default(), output: Vec::new() }
    }

    /// Returns `payload` compressed, for a frame with RSV1, or `None` if it is to be sent as it is.
    pub fn compress(&mut self, payload: &[u8], bits: WindowBits) -> Option<&[u8]> {
        self.trim();
        let room = match self.policy {
            CompressPolicy::WherePays { len_min } if payload.len() < len_min => return None,
            // Whatever does not fit is not smaller.
            CompressPolicy::WherePays { .. } => payload.len().checked_add(FLUSH_TAIL.len())?,
            // DEFLATE's worst case, 9 bits for each 8, and its blocks.
            CompressPolicy::Always => payload.len().checked_add(payload.len() / 8 + 64)?,
        };
        let len = self.run(payload, bits, room)?;
        self.output.get(..len)
    }

    /// Gives back what a large message took.
    pub fn trim(&mut self) {
        if self.output.len() > OUTPUT_LEN_KEPT {
            self.output = Vec::new();
        }
    }

    /// Compresses into `room` bytes of output and returns how many of them go on the wire, or
    /// `None` if they are not enough.
    fn run(&mut self, payload: &[u8], bits: WindowBits, room: usize) -> Option<usize> {
        // Initialised once and kept: only what exceeds it is cleared.
        if self.output.len() < room {
            self.output.resize(room, 0);
        }
        let output = self.output.get_mut(..room)?;
        let stream = self.streams.get_mut(bits.index())?;
        let stream = stream.get_or_insert_with(|| {
            let level = Compression::new(LEVEL);
            Box::new(Compress::new_with_window_bits(level, false, bits.as_u8()))
        });
        // The stream must not refer to the last message, which went to other recipients.
        stream.reset();
        let status = stream.compress(payload, output, FlushCompress::Sync).ok()?;
        let len = usize::try_from(stream.total_out()).ok()?;
        // Output that is used up to its end may lack bytes that are still inside.
        if status != Status::Ok || len >= room {
            return None;
        }
        output.get(..len)?.strip_suffix(&FLUSH_TAIL).map(<[u8]>::len)
    }
}

impl Default for Compressor {
    fn default() -> Self {
        Self::new(CompressPolicy::default())
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let made = self.streams.iter().flatten().count();
        f.debug_struct("Compressor")
            .field("policy", &self.policy)
            .field("streams", &made)
            .field("output_len", &self.output.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::Inflater;

    fn chat(len: usize) -> Vec<u8> {
        let words = br#"{"ev":"message","room":"lobby","seq":123,"from":"bob","text":"yo"}"#;
        words.iter().copied().cycle().take(len).collect()
    }

    /// Bytes that do not compress.
    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let next = std::iter::repeat_with(move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_le_bytes()[3]
        });
        next.take(len).collect()
    }

    /// Compresses and inflates again, twice; returns the compressed length.
    #[track_caller]
    fn check(compressor: &mut Compressor, payload: &[u8], bits: WindowBits) -> Option<usize> {
        let mut lens = [None; 2];
        for len in &mut lens {
            let compressed = compressor.compress(payload, bits).map(<[u8]>::to_vec);
            if let Some(compressed) = &compressed {
                let mut inflater = Inflater::default();
                assert_eq!(inflater.inflate(compressed, payload.len()), Ok(payload));
            }
            *len = compressed.map(|compressed| compressed.len());
        }
        assert_eq!(lens[0], lens[1], "no context is taken over");
        lens[0]
    }

    #[test]
    fn what_is_long_and_repetitive_is_compressed_in_every_window() {
        let mut compressor = Compressor::default();
        for bits in WindowBits::ALL {
            for len in [512, 4096, 200_000] {
                assert!(check(&mut compressor, &chat(len), bits).unwrap() < len / 3);
            }
        }
        assert!(compressor.streams.iter().all(Option::is_some));
    }

    #[test]
    fn a_window_bounds_how_far_back_a_message_refers() {
        // 8 KiB of noise, twice: only a window larger than that sees the repetition.
        let payload = noise(8 * 1024).repeat(2);
        let mut compressor = Compressor::default();
        assert_eq!(check(&mut compressor, &payload, WindowBits::Nine), None);
        assert_eq!(check(&mut compressor, &payload, WindowBits::Twelve), None);
        let len = check(&mut compressor, &payload, WindowBits::Fifteen);
        assert!(len.is_some_and(|len| len < payload.len() * 2 / 3), "{len:?}");
    }

    #[test]
    fn what_is_short_or_does_not_shrink_is_left_alone() {
        let mut compressor = Compressor::default();
        assert_eq!(compressor.compress(&chat(511), WindowBits::Fifteen), None);
        assert_eq!(compressor.compress(&noise(600), WindowBits::Fifteen), None);
        assert_eq!(compressor.compress(&noise(100_000), WindowBits::Fifteen), None);
        assert!(compressor.compress(&chat(512), WindowBits::Fifteen).is_some());
    }

    #[test]
    fn always_is_always() {
        let mut compressor = Compressor::new(CompressPolicy::Always);
        for len in (0..20).chain([511, 4096, 65_536, 100_000]) {
            for payload in [noise(len), chat(len)] {
                for bits in [WindowBits::Nine, WindowBits::Fifteen] {
                    assert!(check(&mut compressor, &payload, bits).is_some(), "{len}");
                }
            }
        }
    }

    #[test]
    fn an_empty_message_is_the_octet_of_section_7_2_3_6() {
        let mut compressor = Compressor::new(CompressPolicy::Always);
        assert_eq!(compressor.compress(b"", WindowBits::Fifteen), Some(&b"\x00"[..]));
    }

    #[test]
    fn what_a_large_message_took_is_given_back() {
        let mut compressor = Compressor::default();
        assert!(compressor.compress(&chat(1 << 20), WindowBits::Fifteen).is_some());
        compressor.trim();
        assert!(compressor.output.capacity() <= OUTPUT_LEN_KEPT);
    }
}
