//! The process that this one takes the place of, as this one sees it.

use std::io::{self, ErrorKind, stdin};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;

use super::channel::{Channel, Frame, Kind};
use super::format::{FORMAT, Hello, Part, WithSocket};
use crate::pack::unpack_whole;
use crate::store;
use crate::time::clock::Clock;

/// The other end, and what it has said first.
#[derive(Debug)]
pub(in crate::server) struct Predecessor {
    channel: Channel,
    hello: Hello,
    sockets: Vec<Option<OwnedFd>>,
    clock: Clock,
}

/// What comes next of the state.
pub(in crate::server) enum Next {
    /// A piece of the domain's state.
    Domain(Part),
    /// Connections.
    Connections(Vec<WithSocket>),
    /// That was all.
    End,
}

/// Tells the process that has started this one to take its place why it cannot.
pub fn refuse(why: &str) {
    if let Ok(mut channel) = connect() {
        _ = channel.send(Kind::Refused, why.as_bytes(), &[]);
    }
}

/// The socket at which standard input is.
fn connect() -> io::Result<Channel> {
    let socket = UnixStream::from(stdin().as_fd().try_clone_to_owned()?);
    // Whatever else it may be: nothing is read from a terminal.
    socket.peer_addr()?;
    Ok(Channel::new(socket))
}

impl Predecessor {
    /// Hears who has started this process.
    ///
    /// # Errors
    ///
    /// If that is no server, or one of another version with which this one cannot go on.
    pub(in crate::server) fn meet() -> io::Result<Self> {
        Self::greet(connect()?)
    }

    fn greet(mut channel: Channel) -> io::Result<Self> {
        let Frame { kind, payload, descriptors } = channel.receive()?;
        let unknown = || io::Error::new(ErrorKind::InvalidData, "no server has started this one");
        // The number of the form is outside of what it describes: a program that cannot read the
        // rest must still be able to say that.
        let (format, hello) = payload.split_first_chunk().ok_or_else(unknown)?;
        if kind != Kind::Hello || u64::from_le_bytes(*format) != FORMAT {
            let text = "this version keeps its state in another form than the one that runs: \
                        restart the server instead";
            return Err(io::Error::other(text));
        }
        let hello: Hello = unpack_whole(hello).ok_or_else(unknown)?;
        // A migration cannot be taken back, and the other process may have to go on with the file
        // if this one fails.
        if hello.schema != u64::try_from(store::schema_version()).unwrap_or(u64::MAX) {
            let text = "this version keeps its database in another form than the one that runs: \
                        restart the server instead";
            return Err(io::Error::other(text));
        }
        let clock = Clock::continued(hello.micros);
        // What is not taken by a listener is closed when this value goes: an address that the new
        // configuration does not have is let go like that.
        let sockets = descriptors.into_iter().map(Some).collect();
        Ok(Self { channel, hello, sockets, clock })
    }

    /// A clock that goes on as the other one's.
    pub(in crate::server) const fn clock(&self) -> Clock {
        self.clock
    }

    /// The socket that listens for this, if the other one has one that was not taken yet.
    pub(in crate::server) fn listener(&mut self, what: &str) -> Option<OwnedFd> {
        let mut all = self.hello.listeners.iter().zip(&mut self.sockets);
        all.find_map(|(name, socket)| if **name == *what { socket.take() } else { None })
    }

    /// Which listener here is the one of this number there. `names` are those of the listeners
    /// here, in their order.
    pub(in crate::server) fn listener_here(&self, names: &[String], number: u8) -> Option<u8> {
        let all = &self.hello.listeners;
        let name = all.get(usize::from(number))?;
        // Several listeners of one name are in the same order here and there.
        let before = all.iter().take(usize::from(number)).filter(|other| *other == name).count();
        let mut same = names.iter().enumerate().filter(|(_, other)| **other == **name);
        u8::try_from(same.nth(before)?.0).ok()
    }

    /// Everything is there that needs no state.
    pub(in crate::server) fn prepared(&mut self) -> io::Result<()> {
        self.channel.send(Kind::Prepared, env!("CARGO_PKG_VERSION").as_bytes(), &[])
    }

    /// The next piece of the state.
    ///
    /// # Errors
    ///
    /// If the other one is gone, or goes on by itself.
    pub(in crate::server) fn next(&mut self) -> io::Result<Next> {
        let Frame { kind, payload, descriptors } = self.channel.receive()?;
        let unknown = || io::Error::new(ErrorKind::InvalidData, "the state cannot be read");
        if kind != Kind::State {
            return Err(unknown());
        }
        match unpack_whole(&payload).ok_or_else(unknown)? {
            // Each state goes with the socket of the same place: with one too few, clients would
            // get each other's answers.
            Part::Connections(states) if states.len() == descriptors.len() => {
                Ok(Next::Connections(descriptors.into_iter().zip(states).collect()))
            }
            Part::Connections(_) => Err(unknown()),
            Part::End => Ok(Next::End),
            part @ (Part::InUse(_)
            | Part::Head(_)
            | Part::CidSecret(_)
            | Part::Rooms(_)
            | Part::Users(_)) => Ok(Next::Domain(part)),
        }
    }

    /// Says that this process could serve, and waits until it is to: when the other one says so, or
    /// is gone, since nobody else serves then.
    ///
    /// # Errors
    ///
    /// If the other one says anything else.
    pub(in crate::server) fn take_over(mut self) -> io::Result<()> {
        match self.channel.send(Kind::Ready, &[], &[]) {
            // That the other one is gone is no error here: it may have said before that this one is
            // to serve.
            Err(error) if !is_gone(&error) => return Err(error),
            Ok(()) | Err(_) => {}
        }
        match self.channel.receive() {
            Ok(Frame { kind: Kind::Take, .. }) => {}
            Err(error) if is_gone(&error) => {
                log::warn!("the process before this one has ended in the middle of the upgrade");
            }
            Err(error) => return Err(error),
            Ok(_) => return Err(io::Error::new(ErrorKind::InvalidData, "no order to serve came")),
        }
        // Nobody may be there to hear it, and that changes nothing.
        _ = self.channel.send(Kind::Serving, &[], &[]);
        Ok(())
    }

    /// Says why this process cannot go on.
    pub(in crate::server) fn refuse(&mut self, why: &str) {
        _ = self.channel.send(Kind::Refused, why.as_bytes(), &[]);
    }
}

/// Whether the other process has ended.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::packed;

    /// What a new process says to the first words of an old one.
    fn greet(format: u64, schema: u64) -> Result<Predecessor, String> {
        let (one, other) = UnixStream::pair().unwrap();
        let listeners = ["Http a", "Tcp b", "Http a"].map(Into::into).to_vec();
        let hello = Hello { micros: 5_000_000, schema, listeners };
        let payload = [&format.to_le_bytes()[..], &packed(&hello)].concat();
        Channel::new(one).send(Kind::Hello, &payload, &[]).unwrap();
        Predecessor::greet(Channel::new(other)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_state_of_another_form_is_refused_before_it_is_sent() {
        let schema = u64::try_from(store::schema_version()).unwrap();
        let said = greet(FORMAT ^ 1, schema).unwrap_err();
        assert!(said.contains("restart the server instead"), "{said}");
        let said = greet(FORMAT, schema + 1).unwrap_err();
        assert!(said.contains("its database in another form"), "{said}");
        let predecessor = greet(FORMAT, schema).unwrap();
        assert!(predecessor.clock().micros() >= 5_000_000, "its clock goes on");
    }

    #[test]
    fn listeners_are_known_by_what_they_are_for() {
        let schema = u64::try_from(store::schema_version()).unwrap();
        let predecessor = greet(FORMAT, schema).unwrap();
        let names = ["Tcp b", "Http new", "Http a", "Http a"].map(str::to_owned);
        let here = [0, 1, 2, 3].map(|number| predecessor.listener_here(&names, number));
        assert_eq!(here, [Some(2), Some(0), Some(3), None]);
    }
}
