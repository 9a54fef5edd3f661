//! What is promised of any bytes, as one function for each decoder.
//!
//! `cargo test` runs each function over the inputs that are kept in `corpus`; `scripts/fuzz TARGET`
//! looks for new ones, with a nightly compiler and `cargo fuzz`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "an input fails by a panic")]

pub mod command;
pub mod deflate;
pub mod frame;
pub mod head;
pub mod line;
