//! What the admin listener answers.

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use serde_json::{Map, Value};

use super::sample::Sample;

/// For the server to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of an answer.
const ANSWER_LEN_MAX: u64 = 16 << 20;
/// The most bytes of a line of its head.
const LINE_LEN_MAX: u64 = 8 << 10;
/// Rows of a list: more than a screen has.
const ROWS: usize = 50;

/// An admin listener.
#[derive(Debug)]
pub(super) struct Source {
    host: String,
    token: Option<String>,
    /// The connection of the look before, so that looking does not count as new connections.
    stream: Option<BufReader<TcpStream>>,
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
        Ok(Self { host, token, stream: None })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Looks at the server; the lists are in these orders.
    pub(super) fn look(&mut self, (connections, rooms): (&str, &str)) -> Result<Sample, String> {
        if self.token.is_none() {
            return Ok(Sample::of_metrics(&self.get("/metrics")?));
        }
        let stats = self.json("/api/v1/stats")?;
        let mut list = |path: &str, sort: &str, key: &str| -> Result<Vec<Value>, String> {
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

    fn json(&mut self, path: &str) -> Result<Map<String, Value>, String> {
        let body = self.get(path)?;
        serde_json::from_str(&body).map_err(|error| format!("{path} is no JSON: {error}"))
    }

    fn get(&mut self, path: &str) -> Result<String, String> {
        let host = self.host.clone();
        let (status, body) = self.ask(path).map_err(|error| format!("{host}: {error}"))?;
        match status.as_str() {
            "200" => Ok(body),
            "401" => Err("the token is not that of the admin API".to_owned()),
            "404" if path.starts_with("/api/") => {
                Err("there is no admin API: the server has no admin_token".to_owned())
            }
            "" => Err(format!("{host} does not speak HTTP")),
            status => Err(format!("{path} is answered with {status}")),
        }
    }

    /// The status and the body of the answer.
    fn ask(&mut self, path: &str) -> io::Result<(String, String)> {
        // The server may have closed the connection meanwhile: then a new one is made.
        if let Some(mut stream) = self.stream.take()
            && let Ok(answer) = self.ask_on(&mut stream, path)
        {
            self.stream = Some(stream);
            return Ok(answer);
        }
        let mut stream = BufReader::new(self.connect()?);
        let answer = self.ask_on(&mut stream, path)?;
        self.stream = Some(stream);
        Ok(answer)
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in self.host.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, TIMEOUT) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(TIMEOUT))?;
                    stream.set_write_timeout(Some(TIMEOUT))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn ask_on(
        &self,
        stream: &mut BufReader<TcpStream>,
        path: &str,
    ) -> io::Result<(String, String)> {
        let token = self.token.as_ref();
        let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let (host, bearer) = (&self.host, bearer.unwrap_or_default());
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{bearer}\r\n");
        stream.get_mut().write_all(request.as_bytes())?;
        read_answer(stream)
    }
}

/// Reads an answer with a `Content-Length`, as the admin listener gives it.
fn read_answer(stream: &mut impl BufRead) -> io::Result<(String, String)> {
    let (mut status, mut body_len) = (None, 0);
    loop {
        let mut line = String::new();
        let count = stream.by_ref().take(LINE_LEN_MAX).read_line(&mut line)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        match (&status, line.split_once(':')) {
            (None, _) => {
                let word = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split(' ').next());
                status = Some(word.unwrap_or_default().to_owned());
                // It speaks something else, or another version: there is no length to go by.
                if word.is_none() {
                    return Ok((String::new(), String::new()));
                }
            }
            (Some(_), Some((name, value))) if name.eq_ignore_ascii_case("content-length") => {
                body_len = value.trim().parse().map_err(io::Error::other)?;
            }
            (Some(_), _) if line.is_empty() => break,
            (Some(_), _) => {}
        }
    }
    let mut body = Vec::new();
    stream.by_ref().take(ANSWER_LEN_MAX.min(body_len)).read_to_end(&mut body)?;
    if u64::try_from(body.len()).unwrap_or(u64::MAX) < body_len {
        return Err(io::Error::other("the answer is too long, or cut off"));
    }
    Ok((status.unwrap_or_default(), String::from_utf8_lossy(&body).into_owned()))
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

    #[test]
    fn an_answer_is_read_to_its_end_and_no_further() {
        let two = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 404 X\r\n\r\n";
        let mut stream = &two[..];
        let answer = |status: &str, body: &str| (status.to_owned(), body.to_owned());
        assert_eq!(read_answer(&mut stream).unwrap(), answer("200", "ok"));
        assert_eq!(read_answer(&mut stream).unwrap(), answer("404", ""));
        read_answer(&mut stream).unwrap_err();
        assert_eq!(read_answer(&mut &b"SSH-2.0\r\n"[..]).unwrap(), answer("", ""));
        let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok";
        read_answer(&mut &cut[..]).unwrap_err();
    }
}
