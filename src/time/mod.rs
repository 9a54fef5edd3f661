//! Time as a value: ticks, the one clock that is read, the wheel that keeps deadlines, and how
//! people write days and lengths of time.
//!
//! Nothing but [`clock`] asks the operating system what time it is; everything else is told, so
//! that a simulation can decide it.

pub mod clock;
pub mod date;
pub mod rate;
pub mod span;
mod tick;
pub mod wall_watch;
pub mod wheel;

pub use span::millis;
pub use tick::Tick;
