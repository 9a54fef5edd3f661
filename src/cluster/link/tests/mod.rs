//! A link against engines of a few lines.

mod bus;
mod connecting;
mod engine;
mod telling;
mod working;
mod world;
