//! What comes to a plain port by mistake: protocols whose beginnings no person types.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::fmt;

/// A protocol that is not spoken here, recognised by how it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// A TLS record.
    Tls,
    /// A control byte with which no text begins.
    Binary,
    /// A request of HTTP: a page of any origin can make a browser send one here, with lines of the
    /// page's choosing after it.
    Http,
    /// The header of the PROXY protocol, of either version.
    Proxy,
    /// An SSH banner.
    Ssh,
    /// The first command of an IRC client.
    Irc,
}

impl Foreign {
    /// What begins with this byte, if it is foreign.
    #[must_use]
    pub const fn of_first_byte(byte: u8) -> Option<Self> {
        match byte {
            0x16 => Some(Self::Tls),
            // A person may begin with Backspace, Tab, Enter or a key that sends an escape.
            0x08..=0x0d | 0x1b => None,
            0x01..=0x1f => Some(Self::Binary),
            _ => None,
        }
    }

    /// What has this first line that is not empty, if it is foreign.
    #[must_use]
    pub fn of_first_line(line: &[u8]) -> Option<Self> {
        const IRC: [&[u8]; 4] = [b"CAP ", b"NICK ", b"USER ", b"PASS "];
        match line {
            // Version 2 begins with two line ends and a NUL.
            [0, ..] | [b'P', b'R', b'O', b'X', b'Y', b' ', ..] => Some(Self::Proxy),
            [b'S', b'S', b'H', b'-', ..] => Some(Self::Ssh),
            _ if IRC.iter().any(|word| line.starts_with(word)) => Some(Self::Irc),
            [.., b' ', b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
                Some(Self::Http)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => {
                "this port speaks plain text, not TLS: connect without it, or put TLS in front"
            }
            Self::Binary => "this port takes lines of text or JSON, and these bytes are neither",
            Self::Http => "this port takes lines, not HTTP; the page is on the HTTP port",
            Self::Proxy => "this port does not expect the PROXY protocol: turn it off in the proxy",
            Self::Ssh => "this port takes lines of text or JSON, not SSH",
            Self::Irc => "this is no IRC server: use nc or telnet, then /nick ann and /join lobby",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_person_types_is_recognised_by_its_first_byte() {
        assert_eq!(Foreign::of_first_byte(0x16), Some(Foreign::Tls));
        // SOCKS 4 and 5, RDP, MQTT.
        for byte in [0x03, 0x04, 0x05, 0x10] {
            assert_eq!(Foreign::of_first_byte(byte), Some(Foreign::Binary));
        }
        for byte in b"\x08\t\r\n\x1b\x7f/a{\xff\xc3\0" {
            assert_eq!(Foreign::of_first_byte(*byte), None, "{byte:#x}");
        }
    }

    #[test]
    fn the_first_line_of_another_protocol_is_recognised() {
        for (line, expect) in [
            ("GET / HTTP/1.1", Some(Foreign::Http)),
            ("PRI * HTTP/2.0", Some(Foreign::Http)),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1000 9000", Some(Foreign::Proxy)),
            ("\0", Some(Foreign::Proxy)),
            ("SSH-2.0-OpenSSH_9.9", Some(Foreign::Ssh)),
            ("CAP LS 302", Some(Foreign::Irc)),
            ("NICK ann", Some(Foreign::Irc)),
            ("USER ann 0 * :Ann", Some(Foreign::Irc)),
            ("PASS secret", Some(Foreign::Irc)),
            ("nick ann", None),
            ("/nick ann", None),
            ("NICKEL", None),
            ("I like HTTP/2", None),
            ("hello", None),
        ] {
            assert_eq!(Foreign::of_first_line(line.as_bytes()), expect, "{line:?}");
        }
    }
}
