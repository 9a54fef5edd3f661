//! What has happened in a shared engine, in numbers.

/// How often each thing happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EngineCounts {
    pub(crate) commits: u64,
    pub(crate) grown: u64,
    pub(crate) renewed: u64,
    pub(crate) gone: u64,
    pub(crate) stale: u64,
    pub(crate) undecided: u64,
    pub(crate) told: u64,
    pub(crate) lost_wakes: u64,
    pub(crate) deaf: u64,
    pub(crate) away: u64,
    pub(crate) promotions: u64,
    pub(crate) cut: u64,
    pub(crate) claims: u64,
    pub(crate) moved: u64,
    pub(crate) renamed: u64,
    pub(crate) profiles: u64,
}

impl EngineCounts {
    fn all_mut(&mut self) -> [&mut u64; 16] {
        let Self { commits, grown, renewed, gone, stale, undecided, .. } = self;
        let rest = [&mut self.told, &mut self.lost_wakes, &mut self.deaf];
        let [told, lost, deaf] = rest;
        let ends = [&mut self.away, &mut self.promotions, &mut self.cut];
        let [away, promotions, cut] = ends;
        let [claims, moved] = [&mut self.claims, &mut self.moved];
        let [renamed, profiles] = [&mut self.renamed, &mut self.profiles];
        [
            commits, grown, renewed, gone, stale, undecided, told, lost, deaf, away, promotions,
            cut, claims, moved, renamed, profiles,
        ]
    }

    /// Adds those of another run.
    pub(crate) fn add(&mut self, mut other: Self) {
        for (sum, more) in self.all_mut().into_iter().zip(other.all_mut()) {
            *sum += *more;
        }
    }

    /// The least of all, but for rooms that are dropped, of which there are few.
    pub(crate) fn least(mut self) -> u64 {
        self.gone = u64::MAX;
        self.all_mut().into_iter().map(|count| *count).min().unwrap_or(0)
    }
}
