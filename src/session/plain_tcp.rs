//! The chat over plain TCP: the first byte decides how items are told apart, and whether a person
//! types them.

use super::input::Session;
use super::state::{PlainTcp, Protocol};
use super::text_client::is_http_request;
use crate::chat::{Code, Refusal};
use crate::line::{Decoder, Framing, Item};
use crate::net::CloseReason;
use crate::wire::{self, Refused};

impl Session<'_, '_> {
    /// Takes one item off the front of `input`. `false` if there is no whole one, or the connection
    /// ends.
    pub(super) fn tcp_step(&mut self, input: &mut &[u8]) -> bool {
        let Protocol::Tcp(plain) = &mut self.state.protocol else { return false };
        let context = &*self.context;
        let len_max =
            if plain.is_greeted { context.request_len_max } else { context.hello_len_max };
        let Some(framing) =
            plain.framing.or_else(|| input.first().map(|&first| Framing::of(first)))
        else {
            return false;
        };
        plain.framing = Some(framing);
        // The item is lent from the decoder, which nothing else needs meanwhile.
        let mut decoder = std::mem::take(&mut plain.decoder);
        let item = decoder.decode(input, len_max);
        let is_some = item.is_some();
        if let Some(item) = item {
            self.item(framing, item);
        }
        self.put_back(decoder);
        is_some && !self.state.is_closing()
    }

    /// Takes the last line of a connection that ended without the end of that line.
    pub(super) fn tcp_finish(&mut self) {
        let Protocol::Tcp(plain) = &mut self.state.protocol else { return };
        let Some(framing) = plain.framing else { return };
        let mut decoder = std::mem::take(&mut plain.decoder);
        if let Some(item) = decoder.finish() {
            self.item(framing, item);
        }
        self.put_back(decoder);
    }

    fn put_back(&mut self, decoder: Decoder) {
        if let Protocol::Tcp(plain) = &mut self.state.protocol {
            plain.decoder = decoder;
        }
    }

    fn item(&mut self, framing: Framing, item: Item<'_>) {
        let is_text = framing == Framing::Text;
        self.take_token();
        match item {
            Item::Empty => {}
            // A request line of HTTP that is too long to be recognised is refused like one.
            Item::TooLong { limit } => {
                self.refuse(&wire::too_long(limit));
                if is_text && self.is_stranger() {
                    self.close_after_outputs(CloseReason::Violation);
                }
            }
            Item::Message(line) if is_text && self.is_stranger() && is_http_request(line) => {
                let message = "this port takes lines, not HTTP; the page is on the HTTP port";
                let refusal = Refusal::new(Code::BadField, message);
                self.refuse(&Refused { id: None, op: None, refusal });
                self.close_after_outputs(CloseReason::Violation);
            }
            Item::Message(line) if is_text => self.text_line(line),
            Item::Message(bytes) => {
                let parsed = wire::parse_bytes(bytes, &self.context.limits);
                self.request(parsed);
            }
            Item::Malformed => self.close_after_outputs(CloseReason::Violation),
        }
    }

    /// Whether nothing has come from a plain connection yet that a person typed.
    const fn is_stranger(&self) -> bool {
        matches!(&self.state.protocol, Protocol::Tcp(plain) if is_new(plain))
    }
}

const fn is_new(plain: &PlainTcp) -> bool {
    plain.text.is_none()
}
