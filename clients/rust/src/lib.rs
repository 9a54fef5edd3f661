//! A client for the chat server Chinwag: blocking, without an async runtime.
//!
//! ```no_run
//! use chinwag_client::{Client, Event, Options};
//!
//! fn main() -> Result<(), chinwag_client::Error> {
//!     let chat = Client::connect("ws://127.0.0.1:8080/ws", Options::named("bot"))?;
//!     chat.join("lobby")?;
//!     for event in chat.events() {
//!         if let Event::Record { room, item } = event
//!             && item.get("text").is_some_and(|text| text == "beep")
//!         {
//!             chat.send(&room, "boop")?;
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! A [`Client`] comes back after a lost connection, tells each record of its rooms once and in
//! order, and keeps what was sent until the server has answered. It counts what is unread, and
//! knows who is there where it was asked to [`watch`](Client::watch).
//!
//! - Where the server has accounts, [`login`] gives the token for [`Options::with_token`].
//! - `wss://` addresses are reached over TLS; [`Roots`] says whose certificates are trusted.
//! - A client is one thread, and the methods that ask something block until there is an answer.
//!   Who has a loop already drives the [`engine`] instead, which has neither a thread nor a socket.
//!
//! It runs on Unix. What it does when is told by `clients/vectors.json`, as for the project's other
//! clients.

mod client;
mod driver;
pub mod engine;
pub mod model;
mod options;
mod shared;
mod socket;

pub use client::Client;
pub use model::{
    Entry, Error, Event, Item, Presence, Room, RoomState, Sent, State, TokenEnd, direct_room,
    other_in,
};
pub use options::{FetchToken, Options, Token};
pub use socket::{Address, Login, Offers, Roots, login, offers, register};
