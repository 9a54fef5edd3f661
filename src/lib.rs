//! Chinwag, a chat server for many people on a small machine.
//!
//! # The one idea: a room is a log, a member is a cursor
//!
//! The log gives each durable event its `(epoch, seq)`. A connection in a room is a cursor over
//! that log: *live* (it gets each event as it is committed) or *lagging* (it gets the log from its
//! position on, at the speed at which its socket drains). Joining with a position, returning after
//! a lost socket and a slow reader's catching up are one mechanism, in [`chat`].
//!
//! # The book
//!
//! - To understand the server: [life of a message](docs::life_of_a_message),
//!   [a slow reader](docs::slow_reader), [resume](docs::resume),
//!   [a durable send](docs::durable_send), [a message across nodes](docs::across_nodes),
//!   [glossary](docs::glossary).
//! - To change it: [how to add an operation](docs::new_operation),
//!   [invariants](docs::invariants), [promises and tests](docs::promises).
//! - To write a client: [the protocol](docs::protocol), [all messages](docs::messages),
//!   [resume](docs::resume).
//! - To run it: [configuration](docs::configuration), [the store](docs::store),
//!   [a cluster](docs::cluster), [webhooks](docs::webhooks), [pushes](docs::push),
//!   [measurements](docs::measurements).
//!
//! [`docs`] lists all chapters, a question each.
//!
//! # The layers, and what each refuses to know
//!
//! ```text
//! main ─ cli ─ config
//!         │
//!       server                         wires everything, owns nothing else
//!    ┌────┼────────┬────────┬───────┐
//!  session  page  admin   store  cluster   session: one connection's stack  http → ws|line → wire
//!    │                              │
//!  http  ws  line  wire  auth       pg  sans-io: bytes in, values out; no sockets, clock or files
//!    │
//!   chat                               rooms, members, cursors; no bytes, no sockets, no JSON
//!    │
//!   net                                ConnId, Input, Effect: plain data
//!    │
//!  reactor                             mio, slab, timer wheel, outbound rings; no HTTP, no chat
//!    │
//!   tls                                sans-io: what the reactor's bytes are sealed with
//! ```
//!
//! | layer | modules | knows |
//! |---|---|---|
//! | entry | [`cli`], [`config`] | argv, files, the environment |
//! | composition | [`server`] | who is wired to whom |
//! | edge | [`session`] | one connection's protocol stack |
//! | | [`page`], [`admin`] | the files of the chat page; health and metrics |
//! | | [`store`] | the logs on the disk |
//! | | [`cluster`] | the logs in an engine that several nodes share |
//! | | [`files`] | files that people send |
//! | | [`webhooks`] | other servers, and devices, that are told what happens |
//! | sans-io | [`http`], [`line`](mod@line), [`wire`], [`ws`] | bytes in, values out, both roles |
//! | | [`pg`], [`resp`] | what engines and buses of a cluster speak, as their client |
//! | | [`auth`] | secrets, tokens and keys in, identities out |
//! | domain | [`chat`] | rooms, members, cursors, roles |
//! | boundary | [`net`] | [`net::ConnId`], [`net::Input`], [`net::Effect`] |
//! | reactor | [`reactor`] | readiness, bytes, deadlines |
//! | below it | [`tls`] | ciphertext in, plaintext out, certificates |
//! | for people | `terminal` | `chinwag chat` and `chinwag top`, with the feature of that name |
//! | beside it | [`client`] | the other end of the protocol, for tests and the generator |
//! | | [`pack`] | the same values as bytes, for a process that goes on with them |
//! | leaves | [`collections`], [`rng`], [`time`] | containers, repeatable numbers, ticks |
//! | | [`metrics`], [`log`](mod@log) | counters, the sink of the logging |
//!
//! The members of the edge do not know each other, and no layer knows one above it. The
//! [`reactor`] turns readiness into an [`net::Input`]; the handler turns each input into
//! [`net::Effect`]s, which are applied in order after it has returned. Nothing is re-entrant. Time
//! is an argument: given the same inputs and ticks, the same effects follow, so all that lies above
//! the reactor runs in a seeded simulation (`tests/sim`). `tests/tidy` holds the layers against the
//! imports.
//!
//! # Where to look first
//!
//! | where is it decided … | file |
//! |---|---|
//! | what an operation does, and who may do it | `src/chat/operations/mod.rs` |
//! | that a reader is too slow | `src/chat/model/send_credit.rs`; what follows, `catch_up.rs` |
//! | when a connection is late | `src/session/deadlines.rs`, `src/reactor/expire.rs` |
//! | that a client sends too fast | `must_wait` in `src/session/input.rs` |
//! | which bytes are a request | `src/wire/parse/mod.rs`; a WebSocket frame, `src/ws/header.rs` |
//! | that a message was sent before | `src/store/sqlite/cids.rs` |
//! | which seq a record gets | `src/store/sqlite/append.rs`; in a cluster `src/cluster/append.sql` |
//! | how much memory what may take | `src/config/memory.rs` |
//! | what time it is, if the clock jumps | `src/time/clock.rs`, `src/store/sqlite/clock_shift.rs` |
//! | what SIGTERM does, and SIGUSR2 | `stop` in `src/server/mod.rs`; `src/server/upgrade/mod.rs` |
//! | when a record is safe | `src/store/sqlite/writer_thread.rs` |
//! | what other nodes did | `src/cluster/node/reader.rs`, `src/chat/operations/log_grown.rs` |
//! | what one turn of the loop does, in which order | `src/reactor/mod.rs` |
//! | what is wired to what | `src/server/mod.rs` |
//!
//! [`chat`] has who is where: rooms, memberships, roles, bans, receipts. [`store`] has the records,
//! and all of that over restarts. The boundary between them is [`chat::model::log`]: requests and
//! replies, plain data, so that the simulation puts a disk of its own in the store's place and
//! crashes it at will.

pub mod admin;
pub mod auth;
pub mod chat;
pub mod cli;
pub mod client;
pub mod cluster;
pub mod collections;
pub mod config;
pub mod docs;
pub mod files;
pub mod http;
pub mod line;
pub mod log;
pub mod metrics;
pub mod net;
pub mod pack;
pub mod page;
pub mod pg;
pub mod reactor;
pub mod resp;
pub mod rng;
pub mod server;
pub mod session;
pub mod store;
#[cfg(feature = "terminal")]
pub mod terminal;
pub mod time;
pub mod tls;
pub mod webhooks;
pub mod wire;
pub mod ws;
