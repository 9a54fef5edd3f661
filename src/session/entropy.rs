//! Secrets that nobody can guess, or that a simulation can repeat.

/// Where the secrets of sessions come from.
#[derive(Clone, Debug)]
pub enum Entropy {
    /// The operating system.
    System,
    /// A sequence that follows from this number: for simulations only.
    Seeded(u64),
}

impl Entropy {
    /// 128 bits; `None` if the operating system has none to give.
    pub(super) fn secret(&mut self) -> Option<u128> {
        match self {
            Self::System => {
                let mut bytes = [0; 16];
                getrandom::fill(&mut bytes).ok()?;
                Some(u128::from_ne_bytes(bytes))
            }
            Self::Seeded(state) => Some(u128::from(next(state)) << 64 | u128::from(next(state))),
        }
    }
}

/// `SplitMix64`.
const fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
