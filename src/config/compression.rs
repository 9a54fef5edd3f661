//! WebSocket compression.

use super::kind::{Size, Switch};
use super::setting::Section;

/// WebSocket compression: RFC 7692, always without context takeover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compression {
    /// Whether permessage-deflate is accepted when a client offers it.
    pub enabled: bool,
    /// Bytes from which on a message is compressed; below, it costs more than it saves.
    pub threshold_bytes: usize,
}

impl Default for Compression {
    fn default() -> Self {
        Self { enabled: true, threshold_bytes: 512 }
    }
}

impl Compression {
    pub(super) fn visit(&mut self, mut section: Section<'_, '_>) {
        section.setting("enabled", &mut self.enabled, Switch);
        section.setting("threshold_bytes", &mut self.threshold_bytes, Size(0..=1 << 20));
    }
}
