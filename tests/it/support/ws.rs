//! A WebSocket client that frames by hand, so that it can do what no library would.

use std::net::SocketAddr;

use super::http::{self, Response};
use super::{Raw, Transport};

/// A frame as it is sent or was received, with nothing assumed about its sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// FIN, the three reserved bits and the opcode.
    pub(crate) first: u8,
    /// The payload, unmasked.
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// A whole text message.
    pub(crate) fn text(text: &str) -> Self {
        Self { first: 0x81, payload: text.as_bytes().to_vec() }
    }

    /// A close frame.
    pub(crate) fn close(code: u16, reason: &str) -> Self {
        Self { first: 0x88, payload: [&code.to_be_bytes(), reason.as_bytes()].concat() }
    }

    /// The frame in bytes, masked, the length as short as it can be.
    pub(crate) fn encode(&self) -> Vec<u8> {
        const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
        let mut bytes = vec![self.first];
        match (u8::try_from(self.payload.len()), u16::try_from(self.payload.len())) {
            (Ok(len @ ..=125), _) => bytes.push(0x80 | len),
            (_, Ok(len)) => {
                bytes.push(0xfe);
                bytes.extend(len.to_be_bytes());
            }
            _ => {
                bytes.push(0xff);
                bytes.extend((self.payload.len() as u64).to_be_bytes());
            }
        }
        bytes.extend(MASK);
        bytes.extend(self.payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    /// The close code, if it is a close frame that has one.
    pub(crate) fn close_code(&self) -> Option<u16> {
        let code = self.payload.first_chunk::<2>().filter(|_| self.first == 0x88)?;
        Some(u16::from_be_bytes(*code))
    }
}

/// The head of an upgrade request, `extra` lines of headers included, each ended by CRLF.
pub(crate) fn upgrade_head(address: SocketAddr, target: &str, extra: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extra}\r\n"
    )
}

/// A WebSocket connection without a library.
#[derive(Debug)]
pub(crate) struct RawWs {
    /// The connection below, for bytes that are no frames.
    pub(crate) raw: Raw,
    /// The response to the upgrade.
    pub(crate) response: Response,
}

impl RawWs {
    /// Upgrades at `target` with `extra` headers, each ended by CRLF.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr, target: &str, extra: &str) -> Self {
        Self::over(Raw::connect(address), address, target, extra)
    }

    /// The same on a connection that is there.
    #[track_caller]
    pub(crate) fn over(mut raw: Raw, address: SocketAddr, target: &str, extra: &str) -> Self {
        raw.send(upgrade_head(address, target, extra).as_bytes());
        let response = http::read(&mut raw, true);
        assert_eq!(response.status, 101, "{response:?}");
        // The example of RFC 6455, section 1.3.
        let accept = response.header("Sec-WebSocket-Accept");
        assert_eq!(accept, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{response:?}");
        Self { raw, response }
    }

    /// Sends a frame.
    pub(crate) fn send_frame(&mut self, frame: &Frame) {
        self.raw.send(&frame.encode());
    }

    /// Receives a frame of the server's, which is never masked, reserved or of a length that is too
    /// long.
    #[track_caller]
    pub(crate) fn frame(&mut self) -> Frame {
        let head = self.raw.take(2);
        let (first, second) = (head[0], head[1]);
        assert!(second & 0x80 == 0, "the server has masked a frame");
        let length = match second {
            126 => {
                let length =
                    self.raw.take(2).iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                assert!(length > 125, "a length of {length} in 16 bits");
                length
            }
            127 => {
                let length =
                    self.raw.take(8).iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                assert!(length > 65_535, "a length of {length} in 64 bits");
                length
            }
            length => usize::from(length),
        };
        Frame { first, payload: self.raw.take(length) }
    }

    /// Receives frames up to the close frame, which must have `code`, and the end of the connection
    /// behind it.
    #[track_caller]
    pub(crate) fn assert_closed(&mut self, code: u16) {
        let frame = loop {
            let frame = self.frame();
            if frame.first & 0x0f == 0x08 {
                break frame;
            }
        };
        assert_eq!(frame.close_code(), Some(code), "{frame:?}");
        self.send_frame(&frame);
        self.raw.assert_ended();
    }
}

impl Transport for RawWs {
    fn send_text(&mut self, text: &str) {
        self.send_frame(&Frame::text(text));
    }

    fn receive_text(&mut self) -> Option<String> {
        loop {
            let frame = self.frame();
            match frame.first {
                0x81 => return Some(String::from_utf8(frame.payload).expect("UTF-8")),
                0x89 => self.send_frame(&Frame { first: 0x8a, ..frame }),
                0x88 => {
                    self.send_frame(&frame);
                    self.raw.assert_ended();
                    return None;
                }
                _ => panic!("not a text message: {frame:?}"),
            }
        }
    }
}
