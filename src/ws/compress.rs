//! Compressing one message at a time: RFC 7692 section 7.2.1.

use std::fmt;

use flate2::{Compress, Compression, FlushCompress, Status};

use super::WindowBits;

/// What every sync flush ends with, and the wire leaves out.
const FLUSH_TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// What is kept of the output buffer between messages, in bytes.
const OUTPUT_LEN_KEPT: usize = 64 * 1024;
/// The level, 0–9: higher ones cost more time than they save bytes on messages of chat size.
const LEVEL: u32 = 3;

/// Which messages are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressPolicy {
    /// Those of at least `len_min` bytes that become smaller. Below some 512 bytes the work is rarely
    /// worth the bytes.
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
/// serves everyone, and what it made can be sent to many. A compressor takes about 300 KiB at 15 bits
/// and less below; there are at most seven.
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
        let mut room = match self.policy {
            CompressPolicy::WherePays { len_min } if payload.len() < len_min => return None,
            // Whatever does not fit is not smaller.
            CompressPolicy::WherePays { .. } => payload.len().checked_add(FLUSH_TAIL.len())?,
            CompressPolicy::Always => payload.len().checked_add(payload.len() / 8 + 64)?,
        };
        let len = loop {
            match (self.run(payload, bits, room), self.policy) {
                (Some(len), _) => break len,
                (None, CompressPolicy::WherePays { .. }) => return None,
                (None, CompressPolicy::Always) => room = room.checked_mul(2)?,
            }
        };
        self.output.get(..len)
    }

    /// Gives back what a large message took.
    pub fn trim(&mut self) {
        if self.output.len() > OUTPUT_LEN_KEPT {
            self.output = Vec::new();
        }
    }

    /// Compresses into `room` bytes of output and returns how many of them go on the wire, or `None` if
    /// they are not enough.
    fn run(&mut self, payload: &[u8], bits: WindowBits, room: usize) -> Option<usize> {
        if self.output.len() < room {
            self.output.resize(room, 0);
        }
        let output = self.output.get_mut(..room)?;
        let stream = self.streams.get_mut(bits.index())?;
        let stream = stream.get_or_insert_with(|| {
            let level = Compression::new(LEVEL);
            Box::new(Compress::new_with_window_bits(level, false, bits.as_u8()))
        });
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
