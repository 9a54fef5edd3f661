//! A server that receives webhooks, and what it can say of a request.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver as Incoming, Sender, channel};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::PATIENCE;

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(key, _)| key == name);
        found.map_or_else(|| panic!("no {name} in {:?}", self.fields), |(_, value)| value)
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a body in JSON")
    }

    #[track_caller]
    pub(crate) fn events(&self) -> Vec<Value> {
        self.json()["data"]["events"].as_array().expect("events").clone()
    }

    /// The signature by a secret, from the definition of HMAC (RFC 2104).
    pub(crate) fn signature(&self, secret: &str) -> String {
        let mut key =
            STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret")).expect("base64");
        key.resize(64, 0);
        let padded = |pad: u8| key.iter().map(|byte| byte ^ pad).collect::<Vec<_>>();
        let head = format!("{}.{}.", self.field("webhook-id"), self.field("webhook-timestamp"));
        let inner = Sha256::digest([&padded(0x36), head.as_bytes(), &self.body].concat());
        let outer = Sha256::digest([padded(0x5c), inner.to_vec()].concat());
        format!("v1,{}", STANDARD.encode(outer))
    }
}

/// Instead of a status: all is well, in an answer of which the rest does not come.
pub(crate) const NO_END: &str = "no end";

/// A server that receives requests and answers the nth of them as a test says: a status with fields
/// behind it, or never.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    pub(crate) requests: Incoming<Request>,
}

type Answers = dyn Fn(usize, &Request) -> Option<&'static str> + Send + Sync;

impl Receiver {
    pub(crate) fn start(
        answer: impl Fn(usize, &Request) -> Option<&'static str> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, requests) = channel();
        let (answer, count): (Arc<Answers>, _) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
        let accept = move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, sender) = (Arc::clone(&answer), sender.clone());
                let count = Arc::clone(&count);
                let serve = move || _ = receive(&stream, (&*answer, &count), &sender);
                thread::Builder::new().spawn(serve).expect("a thread");
            }
        };
        thread::Builder::new().spawn(accept).expect("a thread");
        Self { address, requests }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/in?key=marker-in-url", self.address)
    }

    #[track_caller]
    pub(crate) fn next(&self) -> Request {
        self.requests.recv_timeout(PATIENCE).expect("a request")
    }

    /// The events of the next requests, until there are so many.
    #[track_caller]
    pub(crate) fn events(&self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            events.extend(self.next().events());
        }
        assert_eq!(events.len(), count, "{events:?}");
        events
    }
}

/// Serves one connection.
fn receive(
    stream: &TcpStream,
    (answer, count): (&Answers, &AtomicUsize),
    sender: &Sender<Request>,
) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|len| *len > 0)?;
        assert!(line.starts_with("POST /in?key=marker-in-url HTTP/1.1"), "{line}");
        let mut fields = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            fields.push((name.to_lowercase(), value.to_owned()));
        }
        let mut request = Request { fields, body: Vec::new() };
        let length = request.field("content-length").parse().expect("a length");
        request.body.resize(length, 0);
        reader.read_exact(&mut request.body).ok()?;
        let answer = answer(count.fetch_add(1, Ordering::SeqCst), &request);
        _ = sender.send(request);
        match answer {
            Some(NO_END) => {
                let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx";
                (&*stream).write_all(head).ok()?;
                _ = reader.read(&mut [0]).ok()?;
            }
            Some(answer) => {
                let text = format!("HTTP/1.1 {answer}\r\nContent-Length: 2\r\n\r\nok");
                (&*stream).write_all(text.as_bytes()).ok()?;
            }
            // Until the other end has had enough.
            None => _ = reader.read(&mut [0]).ok()?,
        }
    }
}
