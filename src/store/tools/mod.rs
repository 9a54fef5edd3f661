//! What an operator does with the database, by commands of their own instead of by the server.
//!
//! | | beside a running server | |
//! |---|---|---|
//! | [`backup`] | yes | copies the database as it is at one moment |
//! | [`export`] | yes | reads all records of a room |
//! | [`verify`] | yes | reads everything, names each fault, changes nothing |
//! | [`people`] | yes | adds accounts, keys and invite links, changes them, ends them |
//! | [`revoke`] | yes | has tokens not taken any more |
//! | [`suspend`] | yes | bans users and addresses from the server |
//! | [`webhooks`] | yes | adds webhooks, ends them, has them tried again |
//! | [`measure`] | yes | measures how long the disk takes to sync |
//! | [`restore`] | no | puts a backup in the place of the database |
//! | [`erase`] | no | removes what a user has written, and the name |
//! | [`compact`] | no | gives the unused parts of the file back to the file system |
//! | [`moving`] | no | reads all of it for a cluster, or makes one of what a cluster has |
//! | [`owner`] | no | makes a user an owner of a room |
//!
//! What changes something beside a running server returns when that has applied it.

pub mod backup;
mod change;
pub mod compact;
pub mod erase;
mod error;
pub mod export;
mod files;
mod interruption;
pub mod measure;
pub mod moving;
mod open;
pub mod owner;
pub mod people;
pub mod restore;
pub mod revoke;
mod rewrite;
pub mod suspend;
pub mod verify;
pub mod webhooks;

pub use crate::store::sqlite::moving_state::{Moved, Phase};
pub use error::{Mebibytes, ToolError};
