//! The socket between the two processes: frames in order, some with descriptors.
//!
//! ```text
//! +------+-------------+---------+------------+-----------+
//! | kind | descriptors | 0       | length     | payload   |
//! | 1    | 1           | 2 bytes | 4 bytes LE | …         |
//! +------+-------------+---------+------------+-----------+
//! ```
//!
//! Descriptors come with the first byte of their frame (`SCM_RIGHTS`).

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::io::retry_on_intr;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Descriptors of one frame: what the kernel takes in one message (`SCM_MAX_FD`).
pub(super) const DESCRIPTORS_MAX: usize = 253;
/// Bytes of the longest frame: one connection, with all that may wait for it, or one room.
const FRAME_LEN_MAX: usize = 1 << 28;
const HEADER_LEN: usize = 8;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The old process: who it is.
    Hello = 1,
    /// The new one: everything is ready but for the state.
    Prepared,
    /// The new one: it cannot go on, and why.
    Refused,
    /// The old one: a piece of the state.
    State,
    /// The new one: it could serve now.
    Ready,
    /// The old one: it does not serve any more. After this there is no way back.
    Take,
    /// The new one: it serves.
    Serving,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Hello,
        Self::Prepared,
        Self::Refused,
        Self::State,
        Self::Ready,
        Self::Take,
        Self::Serving,
    ];

    fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|&kind| kind as u8 == byte)
    }
}

/// One end.
#[derive(Debug)]
pub(super) struct Channel(UnixStream);

/// What came.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) payload: Vec<u8>,
    pub(super) descriptors: Vec<OwnedFd>,
}

impl Channel {
    pub(super) const fn new(socket: UnixStream) -> Self {
        Self(socket)
    }

    /// Waits for no longer than this, with each frame.
    pub(super) fn set_patience(&self, patience: Option<Duration>) -> io::Result<()> {
        // Zero would be for ever.
        let patience = patience.map(|patience| patience.max(Duration::from_millis(1)));
        self.0.set_read_timeout(patience)?;
        self.0.set_write_timeout(patience)
    }

    /// Sends a frame.
    pub(super) fn send(
        &mut self,
        kind: Kind,
        payload: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let too_long = || io::Error::new(ErrorKind::InvalidInput, "a frame is too long");
        let len = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= FRAME_LEN_MAX);
        let count = u8::try_from(descriptors.len()).ok().ok_or_else(too_long)?;
        let [a, b, c, d] = len.ok_or_else(too_long)?.to_le_bytes();
        let header = [kind as u8, count, 0, 0, a, b, c, d];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors))
        {
            return Err(io::Error::new(ErrorKind::InvalidInput, "too many descriptors"));
        }
        let parts = [IoSlice::new(&header)];
        let sent = retry_on_intr(|| sendmsg(&self.0, &parts, &mut ancillary, SendFlags::NOSIGNAL))?;
        self.0.write_all(header.get(sent..).unwrap_or_default())?;
        self.0.write_all(payload)
    }

    /// The next frame.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnexpectedEof`] if the other process is gone.
    pub(super) fn receive(&mut self) -> io::Result<Frame> {
        let mut header = [0; HEADER_LEN];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        // A signal interrupts what waits with a timeout, also one that its handler restarts.
        let received = retry_on_intr(|| {
            let mut parts = [IoSliceMut::new(&mut header)];
            recvmsg(&self.0, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
        })?;
        let mut descriptors = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        if received.bytes == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        // Descriptors come with the first byte, so that the rest is read as from any socket.
        self.0.read_exact(header.get_mut(received.bytes..).unwrap_or_default())?;
        let [kind, count, _, _, a, b, c, d] = header;
        let malformed = |what| io::Error::new(ErrorKind::InvalidData, what);
        let kind = Kind::of(kind).ok_or_else(|| malformed("an unknown frame came"))?;
        // The kernel drops those for which this process has no place, without an error.
        if usize::from(count) != descriptors.len() {
            return Err(malformed("descriptors were lost: raise the limit of them (ulimit -n)"));
        }
        let len = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if len > FRAME_LEN_MAX {
            return Err(malformed("a frame is too long"));
        }
        let mut payload = vec![0; len];
        self.0.read_exact(&mut payload)?;
        Ok(Frame { kind, payload, descriptors })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd as _;
    use std::thread;

    use super::*;

    #[test]
    fn frames_come_in_order_with_their_descriptors() {
        let (one, other) = UnixStream::pair().unwrap();
        let (mut one, mut other) = (Channel::new(one), Channel::new(other));
        let file = File::open("/dev/null").unwrap();
        let sender = thread::Builder::new().spawn(move || {
            let many = vec![file.as_fd(); DESCRIPTORS_MAX];
            for round in 0..5u8 {
                one.send(Kind::State, &vec![round; 100_000], &many).unwrap();
                one.send(Kind::Take, &[], &[]).unwrap();
            }
        });
        for round in 0..5u8 {
            let frame = other.receive().unwrap();
            assert_eq!((frame.kind, frame.descriptors.len()), (Kind::State, DESCRIPTORS_MAX));
            assert_eq!(frame.payload, vec![round; 100_000]);
            assert_eq!(other.receive().unwrap().kind, Kind::Take);
        }
        sender.unwrap().join().unwrap();
        assert_eq!(other.receive().unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn patience_ends() {
        let (one, _other) = UnixStream::pair().unwrap();
        let mut one = Channel::new(one);
        one.set_patience(Some(Duration::ZERO)).unwrap();
        assert_eq!(one.receive().unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}
