//! The book: how the server works, a chapter for each question. The texts are Markdown files in
//! `src/docs`; the modules below are empty and only hold them.
//!
//! | question | chapter |
//! |---|---|
//! | What happens to a message between two sockets? | [`life_of_a_message`] |
//! | How does a message cross a cluster? | [`across_nodes`] |
//! | What happens to a client that does not keep up? | [`slow_reader`] |
//! | Which rooms are in memory, and how are the others found? | [`on_demand`] |
//! | How does a client come back without losing anything? | [`resume`] |
//! | When is a `send` safe? | [`durable_send`] |
//! | What is on the disk, and what if the disk fails? | [`store`] |
//! | What does a client send, and what does it get? | [`protocol`] |
//! | Which fields has each request, reply, event and refusal? | [`messages`] |
//! | What can be set, and how is the server run? | [`configuration`] |
//! | How do people sign in, in the browser and at a terminal? | [`sign_in`] |
//! | How do I chat, and watch a server, at a terminal? | [`terminal`] |
//! | Who is who, and who says so? | [`identity`] |
//! | How does the server speak TLS? | [`tls`] |
//! | How is it upgraded while people talk? | [`upgrade`] |
//! | How is it installed, watched and put in a container? | [`packages`] |
//! | How do programs post and read without a socket? | [`http`] |
//! | How are files and pictures sent, kept and removed? | [`files`] |
//! | How are other servers told what happens? | [`webhooks`] |
//! | Who follows a thread, and what is unread there? | [`threads`] |
//! | How are people told while their browser is closed? | [`push`] |
//! | What does an operator see and do while it runs? | [`admin`] |
//! | What is defended, and what is left to the operator? | [`security`] |
//! | Which known failures of others are tried, and by which test? | [`known_failures`] |
//! | What does a proxy in front need? | [`behind_a_proxy`] |
//! | Which clients were tried, and what does each need? | [`clients`] |
//! | Who may do what? | [`rights`] |
//! | What must a PostgreSQL be that several machines share? | [`cluster`] |
//! | What is promised, and which test shows it? | [`promises`] |
//! | What broke elsewhere, and cannot here? | [`lessons`] |
//! | How much memory does it take, and what if that is not enough? | [`memory`] |
//! | How fast, how large? | [`measurements`] |
//! | What does this word mean? | [`glossary`] |
//! | How do I add an operation? | [`new_operation`] |
//! | What must always hold? | [`invariants`] |

#[doc = include_str!("across_nodes.md")]
pub mod across_nodes {}

#[doc = include_str!("admin.md")]
pub mod admin {}

#[doc = include_str!("behind_a_proxy.md")]
pub mod behind_a_proxy {}

#[doc = include_str!("clients.md")]
pub mod clients {}

#[doc = include_str!("cluster.md")]
pub mod cluster {}

#[doc = include_str!("configuration.md")]
pub mod configuration {}

#[doc = include_str!("durable_send.md")]
pub mod durable_send {}

#[doc = include_str!("files.md")]
pub mod files {}

#[doc = include_str!("glossary.md")]
pub mod glossary {}

#[doc = include_str!("http.md")]
pub mod http {}

#[doc = include_str!("identity.md")]
pub mod identity {}

#[doc = include_str!("invariants.md")]
pub mod invariants {}

#[doc = include_str!("known_failures.md")]
pub mod known_failures {}

#[doc = include_str!("lessons.md")]
pub mod lessons {}

#[doc = include_str!("life_of_a_message.md")]
pub mod life_of_a_message {}

#[doc = include_str!("measurements.md")]
pub mod measurements {}

#[doc = include_str!("memory.md")]
pub mod memory {}

#[doc = include_str!("messages.md")]
pub mod messages {}

#[doc = include_str!("new_operation.md")]
pub mod new_operation {}

#[doc = include_str!("on_demand.md")]
pub mod on_demand {}

#[doc = include_str!("packages.md")]
pub mod packages {}

#[doc = include_str!("promises.md")]
pub mod promises {}

#[doc = include_str!("protocol.md")]
pub mod protocol {}

#[doc = include_str!("push.md")]
pub mod push {}

#[doc = include_str!("resume.md")]
pub mod resume {}

#[doc = include_str!("rights.md")]
pub mod rights {}

#[doc = include_str!("security.md")]
pub mod security {}

#[doc = include_str!("sign_in.md")]
pub mod sign_in {}

#[doc = include_str!("slow_reader.md")]
pub mod slow_reader {}

#[doc = include_str!("store.md")]
pub mod store {}

#[doc = include_str!("terminal.md")]
pub mod terminal {}

#[doc = include_str!("threads.md")]
pub mod threads {}

#[doc = include_str!("tls.md")]
pub mod tls {}

#[doc = include_str!("upgrade.md")]
pub mod upgrade {}

#[doc = include_str!("webhooks.md")]
pub mod webhooks {}
