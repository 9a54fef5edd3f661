//! What an operator does with the database: by commands of their own, not by the server.
//!
//! | | beside a running server | |
//! |---|---|---|
//! | [`backup`] | yes | copies the database as it is at one moment |
//! | [`export`] | yes | hands out all records of a room |
//! | [`verify`] | yes | looks at everything and changes nothing |
//! | [`suspend`] | yes | says who may not use the server at all |
//! | [`restore`] | no | takes up a backup |
//! | [`erase`] | no | takes away what a user has said |

pub mod backup;
pub mod erase;
mod error;
pub mod export;
mod open;
pub mod restore;
pub mod suspend;
pub mod verify;

pub use error::ToolError;
