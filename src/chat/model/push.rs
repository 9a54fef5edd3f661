//! Web Push: which devices of a user are told, of what, by which service of the browser's maker.

use std::sync::Arc;

use super::name::{RoomName, UserName};

/// Devices of one user that are told; with one more, the one that was added longest ago goes.
pub const PUSHES_OF_USER_MAX: usize = 16;
/// Likewise of one login, which is one browser.
pub const PUSHES_OF_LOGIN_MAX: usize = 2;
/// Devices in all, some 12 MB; further ones are refused.
pub const PUSHES_MAX: usize = 20_000;
/// Bytes of the address of a device at its push service.
pub const ENDPOINT_LEN_MAX: usize = 1024;
/// Bytes of the public key of a device: an uncompressed point of P-256.
pub const DEVICE_KEY_LEN: usize = 65;
/// Bytes of what a device shares with this server.
pub const DEVICE_SECRET_LEN: usize = 16;
/// Rooms of one user of whose messages it is known that they were not read yet; with one more, the
/// first by name goes.
pub const NEWS_ROOMS_MAX: usize = 32;
/// Bytes of a text that a push shows, if it shows any.
pub const PUSHED_TEXT_MAX: usize = 256;

/// A device that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushSubscription {
    /// Names it to its user.
    pub id: u64,
    /// Whose.
    pub user: UserName,
    /// Of which login, if its user has an account: it ends with that.
    pub login: Option<u64>,
    /// Its address at the push service.
    pub endpoint: Box<str>,
    /// Its public key.
    pub key: [u8; DEVICE_KEY_LEN],
    /// What it shares with this server.
    pub secret: [u8; DEVICE_SECRET_LEN],
    /// What the client calls itself.
    pub agent: Box<str>,
    /// Since when: milliseconds since 1970.
    pub at: u64,
}

impl PushSubscription {
    /// The host of its push service.
    #[must_use]
    pub fn service(&self) -> &str {
        host_of(&self.endpoint).unwrap_or_default()
    }
}

/// Why a device is told of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushReason {
    /// It is a direct message.
    Direct,
    /// It names the user.
    Mention,
}

impl PushReason {
    /// The word for it in a push.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Mention => "mention",
        }
    }
}

/// What one device is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// Which device.
    pub to: Arc<PushSubscription>,
    /// Where the message is.
    pub room: RoomName,
    /// The message's seq there.
    pub seq: u64,
    /// Who has written it.
    pub from: UserName,
    /// Why the device is told.
    pub why: PushReason,
    /// How many messages of the room are unread.
    pub unread: u64,
    /// The beginning of its text, where pushes show that.
    pub text: Option<Box<str>>,
    /// Rooms of earlier pushes, and up to where the user has read there since.
    pub read: Vec<(RoomName, u64)>,
}

/// What the thread that sends pushes is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushOrder {
    /// Tell a device.
    Send(Push),
    /// The user has read this far: what was not sent yet of that is not to be sent.
    Read(UserName, RoomName, u64),
    /// This device is told nothing any more.
    End(u64),
    /// Whatever waits is not to be sent: another node sends it.
    Forget,
}

/// What has become of what a device was to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushOutcome {
    /// Its service has taken what tells of this message.
    Told {
        /// Which device.
        device: u64,
        /// Where the message is.
        room: RoomName,
        /// Its seq.
        seq: u64,
    },
    /// What waited for the device is given up.
    GivenUp(u64),
    /// The device is over.
    Ended(u64),
}

/// What the server needs to send pushes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushTerms {
    /// The public key of this server, as browsers want it: base64url of 65 bytes.
    pub key: Box<str>,
    /// Hosts of push services that may be reached by `http`.
    pub hosts: Vec<String>,
    /// Whether pushes show the beginnings of texts.
    pub texts: bool,
}

/// As much of a text as a push shows.
#[must_use]
pub fn beginning(text: &str) -> &str {
    text.get(..text.floor_char_boundary(PUSHED_TEXT_MAX)).unwrap_or_default()
}

/// The host of an address, if it is one of `http` or `https` without user, password and fragment.
#[must_use]
pub fn host_of(endpoint: &str) -> Option<&str> {
    let rest = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"))?;
    let is_plain = |char: char| char.is_ascii_graphic() && !matches!(char, '#' | '"' | '<' | '>');
    let authority = rest.split(['/', '?']).next()?;
    if authority.contains('@') || !rest.chars().all(is_plain) {
        return None;
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => v6.split_once(']')?,
        None => authority.split_at_checked(authority.find(':').unwrap_or(authority.len()))?,
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let has_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    (has_port && !host.is_empty()).then_some(host)
}

/// Whether a device may have this address: by `https`, or by `http` at one of these hosts.
#[must_use]
pub fn is_endpoint(endpoint: &str, hosts: &[String]) -> bool {
    endpoint.len() <= ENDPOINT_LEN_MAX
        && host_of(endpoint).is_some_and(|host| {
            endpoint.starts_with("https://")
                || hosts.iter().any(|listed| listed.eq_ignore_ascii_case(host))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_an_address_of_https_or_of_a_host_that_is_listed() {
        let hosts = ["localhost".to_owned()];
        for endpoint in [
            "https://fcm.googleapis.com/fcm/send/abc:def",
            "https://updates.push.services.mozilla.com/wpush/v2/x",
            "https://example.org:8443/x?y=z",
            "http://LOCALHOST:8080/x",
            "https://[2001:db8::1]:443/x",
        ] {
            assert!(is_endpoint(endpoint, &hosts), "{endpoint}");
        }
        let long = format!("https://example.org/{}", "x".repeat(ENDPOINT_LEN_MAX));
        for endpoint in [
            "",
            "https://",
            "https:///x",
            "http://example.org/x",
            "http://localhost.example.org/x",
            "https://a:b@example.org/x",
            "https://example.org/x y",
            "https://example.org/\r\nx",
            "https://example.org/#x",
            "https://example.org:0/x",
            "https://example.org:99999/x",
            "https://[2001:db8::1]x/",
            "ftp://example.org/",
            &long,
        ] {
            assert!(!is_endpoint(endpoint, &hosts), "{endpoint}");
        }
        assert_eq!(host_of("https://[2001:db8::1]:443/x"), Some("2001:db8::1"));
    }
}
