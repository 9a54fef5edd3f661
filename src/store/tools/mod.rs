//! What an operator does with the database, by commands of their own instead of by the server.
//!
//! | | beside a running server | |
//! |---|---|---|
//! | [`backup`] | yes | copies the database as it is at one moment |
//! | [`export`] | yes | reads all records of a room |
//! | [`verify`] | yes | reads everything, names each fault, changes nothing |
//! | [`suspend`] | yes | bans users and addresses from the server |
//! | [`restore`] | no | puts a backup in the place of the database |
//! | [`erase`] | no | removes what a user has written, and the name |
//! | [`owner`] | no | makes a user an owner of a room |

pub mod backup;
pub mod erase;
mod error;
pub mod export;
mod open;
pub mod owner;
pub mod people;
pub mod restore;
pub mod suspend;
pub mod verify;

pub use error::ToolError;
