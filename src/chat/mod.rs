//! The domain: rooms, members, cursors. It knows no bytes, no sockets and no JSON.

pub mod code;
pub mod command;
pub mod event;
pub mod limits;
pub mod name;
pub mod outbox;
pub mod record;
pub mod reply;

pub use code::Code;
pub use command::{Command, Op, RequestId};
pub use event::Event;
pub use limits::Limits;
pub use name::{RoomName, UserName};
pub use record::{Body, Epoch, Record, SharedRecord};
pub use reply::{Refusal, Reply};
