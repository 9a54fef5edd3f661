//! One connection to a bus, as its client.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::collections::VecDeque;
use std::fmt;

use bytes::{Bytes, BytesMut};

use super::{Decoder, Fault, Value};

/// Publications whose answers may be awaited at a time.
pub const PUBLICATIONS_MAX: usize = 1_024;

/// As whom to log in, and what to hear.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user; `None`: the one that a server has by itself.
    pub user: Option<Box<str>>,
    /// The password, if there is one.
    pub password: Option<Box<str>>,
    /// The channel that is subscribed to and published on.
    pub channel: Box<str>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, channel, .. } = self;
        f.debug_struct("Login")
            .field("user", user)
            .field("channel", channel)
            .finish_non_exhaustive()
    }
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The login is done, and the channel is heard.
    Ready {
        /// The server and its version, such as `valkey 8.1.1`.
        server: Box<str>,
    },
    /// Somebody has published this, perhaps we.
    Message(Bytes),
}

/// Too many publications wait for their answers: nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// `HELLO` is sent.
    Greeted,
    /// `SUBSCRIBE` is sent.
    Subscribing,
    /// The channel is heard.
    Ready,
}

/// One connection to a bus.
#[derive(Debug)]
pub struct Client {
    channel: Box<str>,
    phase: Phase,
    decoder: Decoder,
    outgoing: BytesMut,
    /// Publications without an answer.
    waiting: usize,
    server: Box<str>,
    replies: VecDeque<Reply>,
}

impl Client {
    /// A connection that was just made: the greeting is in [`outgoing`](Self::outgoing).
    #[must_use]
    pub fn new(login: Login) -> Self {
        let Login { user, password, channel } = login;
        let mut outgoing = BytesMut::new();
        let mut hello: Vec<&[u8]> = vec![b"HELLO", b"3"];
        if let Some(password) = &password {
            let user = user.as_deref().unwrap_or("default");
            hello.extend([&b"AUTH"[..], user.as_bytes(), password.as_bytes()]);
        }
        hello.extend([&b"SETNAME"[..], b"chinwag"]);
        write(&mut outgoing, &hello);
        Self {
            channel,
            phase: Phase::Greeted,
            decoder: Decoder::default(),
            outgoing,
            waiting: 0,
            server: Box::default(),
            replies: VecDeque::new(),
        }
    }

    /// What is to be sent: whoever sends it takes it out.
    pub const fn outgoing(&mut self) -> &mut BytesMut {
        &mut self.outgoing
    }

    /// Whether the channel is heard.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// The next reply.
    pub fn poll(&mut self) -> Option<Reply> {
        self.replies.pop_front()
    }

    /// Tells all who hear the channel.
    ///
    /// # Errors
    ///
    /// [`Busy`] before [`Reply::Ready`], or if too many publications wait for their answers.
    pub fn publish(&mut self, payload: &[u8]) -> Result<(), Busy> {
        if !self.is_ready() || self.waiting >= PUBLICATIONS_MAX {
            return Err(Busy);
        }
        write(&mut self.outgoing, &[b"PUBLISH", self.channel.as_bytes(), payload]);
        self.waiting += 1;
        Ok(())
    }

    /// Takes what has come.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the connection is of no use any more: what was published may have been told.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.decoder.push(bytes);
        while let Some(value) = self.decoder.poll()? {
            self.take(value)?;
        }
        Ok(())
    }

    fn take(&mut self, value: Value) -> Result<(), Fault> {
        match (self.phase, value) {
            (_, Value::Error(words)) => {
                Err(Fault::Refused(String::from_utf8_lossy(&words).into_owned().into()))
            }
            (Phase::Greeted, Value::List(fields)) => {
                self.server = server(&fields).into();
                write(&mut self.outgoing, &[b"SUBSCRIBE", self.channel.as_bytes()]);
                self.phase = Phase::Subscribing;
                Ok(())
            }
            (_, Value::Push(items)) => self.take_push(items),
            (Phase::Ready, Value::Int(_)) if self.waiting > 0 => {
                self.waiting -= 1;
                Ok(())
            }
            _ => Err(Fault::Malformed("it answers what was not asked")),
        }
    }

    fn take_push(&mut self, items: Vec<Value>) -> Result<(), Fault> {
        let is_ours = |channel: &Bytes| *channel == *self.channel.as_bytes();
        let mut items = items.into_iter();
        match (items.next(), items.next(), items.next()) {
            (Some(Value::Text(kind)), Some(Value::Text(channel)), Some(Value::Text(payload)))
                if kind == "message" && is_ours(&channel) && self.is_ready() =>
            {
                self.replies.push_back(Reply::Message(payload));
                Ok(())
            }
            (Some(Value::Text(kind)), Some(Value::Text(channel)), Some(Value::Int(_)))
                if kind == "subscribe" && is_ours(&channel) && self.phase == Phase::Subscribing =>
            {
                self.phase = Phase::Ready;
                self.replies.push_back(Reply::Ready { server: self.server.clone() });
                Ok(())
            }
            // The server takes the channel away, as when the user's rights have changed.
            (Some(Value::Text(kind)), ..) if kind == "unsubscribe" => {
                Err(Fault::Malformed("it has ended the subscription"))
            }
            // Servers may tell other things, such as keys that have become invalid.
            _ => Ok(()),
        }
    }
}

/// Which server it is, by its answer to `HELLO`.
fn server(fields: &[Value]) -> String {
    let field = |name: &str| {
        let is_it = |pair: &&[Value]| matches!(pair, [Value::Text(key), _] if key == name);
        match fields.chunks(2).find(is_it) {
            Some([_, Value::Text(text)]) => String::from_utf8_lossy(text).into_owned(),
            _ => String::new(),
        }
    };
    format!("{} {}", field("server"), field("version")).trim().to_owned()
}

/// Writes a command.
fn write(out: &mut BytesMut, parts: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", parts.len()).as_bytes());
    for part in parts {
        out.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests;
