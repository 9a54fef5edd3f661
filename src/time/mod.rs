//! Time as a value: ticks, the one clock that is read, and the wheel that keeps deadlines.
//!
//! Nothing but [`clock`] asks the operating system what time it is; everything else is told, so
//! that a simulation can decide it.

pub mod calendar;
pub mod clock;
mod tick;
pub mod wheel;

pub use tick::Tick;
