//! What the admin listener answers.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use serde_json::{Map, Value};

use super::sample::Sample;

/// For the server to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of an answer.
const ANSWER_LEN_MAX: u64 = 16 << 20;
/// Rows of a list: more than a screen has.
const ROWS: usize = 50;

/// An admin listener.
#[derive(Debug)]
pub(super) struct Source {
    host: String,
    token: Option<String>,
}

impl Source {
    /// Reads an address: `http://127.0.0.1:9091`, or without the beginning.
    pub(super) fn parse(url: &str, token: Option<String>) -> Result<Self, String> {
        if url.starts_with("https://") {
            return Err("the admin listener speaks plain HTTP: use it on its own machine, or \
                        forward a port, as with ssh -L 9091:127.0.0.1:9091 HOST"
                .to_owned());
        }
        let host = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
        if host.is_empty() || host.contains(['/', ' ']) {
            return Err(format!("{url:?} is no address such as http://127.0.0.1:9091"));
        }
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let host = if has_port { host.to_owned() } else { format!("{host}:9091") };
        Ok(Self { host, token })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Looks at the server; the lists are in these orders.
    pub(super) fn look(&self, (connections, rooms): (&str, &str)) -> Result<Sample, String> {
        if self.token.is_none() {
            return Ok(Sample::of_metrics(&self.get("/metrics")?));
        }
        let stats = self.json("/api/v1/stats")?;
        let list = |path: &str, sort: &str, key: &str| -> Result<Vec<Value>, String> {
            let mut answer = self.json(&format!("/api/v1/{path}?sort={sort}&limit={ROWS}"))?;
            Ok(match answer.remove(key) {
                Some(Value::Array(rows)) => rows,
                _ => Vec::new(),
            })
        };
        let mut sample = Sample::of_stats(&stats);
        sample.connections_list = Some(list("connections", connections, "connections")?);
        sample.rooms_list = Some(list("rooms", rooms, "rooms")?);
        Ok(sample)
    }

    fn json(&self, path: &str) -> Result<Map<String, Value>, String> {
        let body = self.get(path)?;
        serde_json::from_str(&body).map_err(|error| format!("{path} is no JSON: {error}"))
    }

    fn get(&self, path: &str) -> Result<String, String> {
        let answer = self.ask(path).map_err(|error| format!("{}: {error}", self.host))?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).unwrap_or_default();
        match status {
            "200" => Ok(body.to_owned()),
            "401" => Err("the token is not that of the admin API".to_owned()),
            "404" if path.starts_with("/api/") => {
                Err("there is no admin API: the server has no admin_token".to_owned())
            }
            "" => Err(format!("{} does not speak HTTP", self.host)),
            status => Err(format!("{path} is answered with {status}")),
        }
    }

    fn ask(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in self.host.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, TIMEOUT) {
                Ok(stream) => return self.ask_on(stream, path),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn ask_on(&self, mut stream: TcpStream, path: &str) -> io::Result<Vec<u8>> {
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let token = self.token.as_ref();
        let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let (host, bearer) = (&self.host, bearer.unwrap_or_default());
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{bearer}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.take(ANSWER_LEN_MAX).read_to_end(&mut answer)?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_people_write_it() {
        for (written, expect) in [
            ("http://127.0.0.1:9091", Ok("127.0.0.1:9091")),
            ("127.0.0.1:9091/", Ok("127.0.0.1:9091")),
            ("localhost", Ok("localhost:9091")),
            ("[::1]:80", Ok("[::1]:80")),
            ("https://h", Err("plain HTTP")),
            ("http://h/metrics", Err("no address")),
        ] {
            let found = Source::parse(written, None);
            match (found, expect) {
                (Ok(source), expect) => assert_eq!(Ok(source.host()), expect, "{written}"),
                (Err(found), Err(part)) => assert!(found.contains(part), "{written}: {found}"),
                (Err(found), Ok(_)) => panic!("{written}: {found}"),
            }
        }
    }
}
