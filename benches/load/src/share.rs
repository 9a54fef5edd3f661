//! Which part of a run one of several processes does.

use std::fmt;

/// Processes that one run may consist of.
pub(crate) const PROCESSES_MAX: u32 = 64;

/// Which part of a run a process does: `0/2` is the first half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) index: u32,
    pub(crate) count: u32,
}

impl Share {
    pub(crate) const fn new(index: u32, count: u32) -> Self {
        Self { index, count }
    }

    /// Reads `INDEX/COUNT`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(index, count)| {
            Some(Self { index: index.parse().ok()?, count: count.parse().ok()? })
        });
        let valid = parts.filter(|it| it.index < it.count && it.count <= PROCESSES_MAX);
        valid.ok_or_else(|| format!("{text:?} is no part of a run, such as 0/2"))
    }

    /// The same part of `whole` things in a row: how many are before it, and how many are in it.
    /// Parts differ by one at most.
    pub(crate) fn of(self, whole: u32) -> (u32, u32) {
        let (each, left) = (whole / self.count, whole % self.count);
        (self.index * each + self.index.min(left), each + u32::from(self.index < left))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_as_it_is_written() {
        let share = Share::new(2, 5);
        assert_eq!(Share::parse(&share.to_string()), Ok(share));
        for wrong in ["", "1", "2/2", "0/0", "0/65", "a/2", "-1/2", "0/2/3"] {
            assert!(Share::parse(wrong).unwrap_err().contains("0/2"), "{wrong:?}");
        }
    }
}
