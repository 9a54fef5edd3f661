//! Whether numbers come as they should: each once, ascending.

/// What a number shows about its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the next one.
    InOrder,
    /// So many before it have not come yet.
    Ahead(u64),
    /// It has come before.
    Again,
    /// It had been missing.
    Late,
}

/// Numbers that were skipped, as ranges without their end, ascending. Mostly none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Missing(Vec<(u64, u64)>);

/// Ranges that are remembered one by one; those beyond are only counted.
const RANGES_MAX: usize = 1024;

impl Missing {
    /// Takes `number` where `next` was due, and moves `next` on.
    pub(crate) fn advance(&mut self, next: &mut u64, number: u64) -> Verdict {
        if number == *next {
            *next += 1;
            return Verdict::InOrder;
        }
        if number > *next {
            let from = std::mem::replace(next, number + 1);
            let is_full = self.0.len() >= RANGES_MAX;
            match self.0.last_mut().filter(|_| is_full) {
                // How many they are counts, not which.
                Some(last) => last.1 += number - from,
                None => self.0.push((from, number)),
            }
            return Verdict::Ahead(number - from);
        }
        match self.0.iter().position(|range| (range.0..range.1).contains(&number)) {
            None => Verdict::Again,
            Some(nth) => {
                let (from, to) = self.0.remove(nth);
                let parts = [(number + 1, to), (from, number)];
                for part in parts.into_iter().filter(|part| part.0 < part.1) {
                    self.0.insert(nth, part);
                }
                Verdict::Late
            }
        }
    }

    /// How many jumps have left something out.
    pub(crate) const fn jumps(&self) -> u64 {
        self.0.len() as u64
    }

    /// How many numbers are missing.
    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|range| range.1 - range.0).sum()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(numbers: &[u64], verdicts: &[Verdict], jumps_and_missing: (u64, u64)) {
        let (mut missing, mut next) = (Missing::default(), 1);
        let found: Vec<_> = numbers.iter().map(|&n| missing.advance(&mut next, n)).collect();
        assert_eq!(found, verdicts);
        assert_eq!((missing.jumps(), missing.count()), jumps_and_missing);
        assert_eq!(missing.is_empty(), jumps_and_missing == (0, 0));
    }

    use Verdict::{Again, Ahead, InOrder, Late};

    #[test]
    fn each_fault_has_its_verdict() {
        check(&[1, 2, 3], &[InOrder; 3], (0, 0));
        check(&[1, 4], &[InOrder, Ahead(2)], (1, 2));
        check(&[1, 1, 2], &[InOrder, Again, InOrder], (0, 0));
        check(&[2, 1, 3], &[Ahead(1), Late, InOrder], (0, 0));
        check(&[5, 3, 3], &[Ahead(4), Late, Again], (2, 3));
        check(&[3, 6, 2, 1, 5], &[Ahead(2), Ahead(2), Late, Late, Late], (1, 1));
    }
}
