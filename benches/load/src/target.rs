//! Where the load goes to.

use std::net::{SocketAddr, ToSocketAddrs as _};

use chinwag::client::Framing;

/// A target as it stands on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) framing: Framing,
    pub(crate) addr: SocketAddr,
    /// Host and port, as for the `Host` field.
    pub(crate) host: String,
    /// The path, if it has one.
    pub(crate) path: Option<String>,
}

impl Target {
    /// Reads `ws://HOST:PORT/PATH` or `tcp://HOST:PORT`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("--target {text:?} is not ws://HOST:PORT/PATH or tcp://HOST:PORT");
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let framing = match scheme {
            "ws" => Framing::WebSocket,
            "tcp" => Framing::Lines,
            _ => return Err(wrong()),
        };
        let at = rest.find('/').unwrap_or(rest.len());
        let (host, path) = rest.split_at(at);
        let with_port = match host.rsplit_once(':') {
            Some((_, port)) if port.parse::<u16>().is_ok() => host.to_owned(),
            _ if framing == Framing::WebSocket && !host.is_empty() => format!("{host}:80"),
            _ => return Err(wrong()),
        };
        let path = Some(path.to_owned()).filter(|path| !path.is_empty());
        let mut addrs = with_port
            .to_socket_addrs()
            .map_err(|error| format!("--target {text:?} cannot be found: {error}"))?;
        let addr = addrs.next().ok_or_else(|| format!("--target {text:?} has no address"))?;
        Ok(Self { framing, addr, host: host.to_owned(), path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_scheme_a_place_and_for_websocket_a_path() {
        let target =
            |text: &str| Target::parse(text).map(|it| (it.framing, it.addr.to_string(), it.path));
        let (ws, tcp) = (Framing::WebSocket, Framing::Lines);
        let local = "127.0.0.1:81".to_owned();
        assert_eq!(target("ws://127.0.0.1:81"), Ok((ws, local.clone(), None)));
        assert_eq!(
            target("ws://127.0.0.1:81/a/b"),
            Ok((ws, local.clone(), Some("/a/b".to_owned())))
        );
        assert_eq!(target("tcp://127.0.0.1:81"), Ok((tcp, local, None)));
        assert_eq!(target("ws://[::1]/").map(|it| it.1), Ok("[::1]:80".to_owned()));
        for wrong in ["", "127.0.0.1:81", "http://127.0.0.1:81", "tcp://127.0.0.1", "ws://"] {
            assert!(target(wrong).unwrap_err().contains("ws://HOST:PORT/PATH"), "{wrong:?}");
        }
    }
}
