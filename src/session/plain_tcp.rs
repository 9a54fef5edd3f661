//! The chat over plain TCP: the first byte decides how items are told apart, and whether a person
//! types them.
//!
//! A program speaks at once. Who has not is greeted as a person, and may take minutes to answer;
//! the first byte still decides when it comes.

use super::input::Session;
use super::state::{PlainTcp, Protocol};
use super::text_client::{Progress, TextClient};
use crate::chat::{Code, Refusal};
use crate::line::{Decoder, Foreign, Framing, Item};
use crate::net::{CloseReason, Ending};
use crate::wire::{self, text};

impl Session<'_, '_> {
    /// Takes one item off the front of `input`. `false` if there is no whole one, or the connection
    /// ends.
    pub(super) fn tcp_step(&mut self, input: &mut &[u8]) -> bool {
        let Protocol::Tcp(plain) = &mut self.state.protocol else { return false };
        // The item is lent from the decoder, which nothing else needs meanwhile.
        // Taken out and put back, as the item borrows from it while the session is used.
        let mut decoder = std::mem::take(&mut plain.decoder);
        let is_first = decoder.framing().is_none();
        let goes_on = match decoder.recognise(input) {
            None => false,
            Some(framing) if is_first && !self.begin(framing, input) => false,
            Some(framing) => {
                let item = decoder.decode(input, self.item_len_max());
                let is_some = item.is_some();
                if let Some(item) = item {
                    self.item(framing, item);
                }
                is_some
            }
        };
        self.put_back(decoder);
        goes_on && !self.state.is_closing() && !self.state.has_quit()
    }

    /// The first byte has come. `false` if it is none that anybody should send here.
    fn begin(&mut self, framing: Framing, input: &[u8]) -> bool {
        let (now, conn) = (self.turn.now, self.state.conn);
        let Protocol::Tcp(plain) = &mut self.state.protocol else { return false };
        plain.framing = Some(framing);
        if framing != Framing::Text {
            if plain.text.take().is_some() {
                // It was greeted as a person, and is a program that was slow.
                plain.is_greeted = false;
                self.turn.chat.handle_closed(now, conn);
            }
            self.state.set_since(now.tick);
            self.arm(self.state.deadline(now.tick, self.context));
            return true;
        }
        let foreign = input.first().and_then(|&byte| Foreign::of_first_byte(byte));
        foreign.inspect(|foreign| self.reject(&foreign.to_string())).is_none()
    }

    /// Greets who has said nothing for a while as a person.
    pub(super) fn greet(&mut self) {
        let Protocol::Tcp(plain) = &mut self.state.protocol else { return };
        plain.framing = Some(Framing::Text);
        plain.text = Some(Box::<TextClient>::default());
        if self.context.limits.auth.needs_proof() { self.ask_who() } else { self.introduce(None) }
    }

    /// Tells a person how to log in.
    pub(super) fn ask_who(&mut self) {
        let mut out = Vec::new();
        text::who_are_you(&mut out, self.context.server, &self.context.limits.auth);
        self.send(out);
        self.state.set_since(self.turn.now.tick);
        self.arm(self.state.deadline(self.turn.now.tick, self.context));
    }

    fn item_len_max(&self) -> usize {
        match &self.state.protocol {
            Protocol::Tcp(plain) if plain.is_greeted => self.context.request_len_max,
            _ => self.context.hello_len_max,
        }
    }

    /// Takes the last line of a connection that ended without the end of that line.
    pub(super) fn tcp_finish(&mut self) {
        let Protocol::Tcp(plain) = &mut self.state.protocol else { return };
        let Some(framing) = plain.framing else { return };
        let mut decoder = std::mem::take(&mut plain.decoder);
        // Programs that end with FIN often leave out the last newline.
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
            Item::Answer(answer) => self.send(answer.as_bytes().to_vec()),
            // A request line of HTTP that is too long to be recognised is refused like one.
            Item::TooLong { .. } if is_text && self.is_stranger() => {
                self.reject("the first line is too long; this port takes lines of text or JSON");
            }
            Item::TooLong { limit } => self.refuse(&wire::too_long(limit)),
            Item::Message(line) if is_text => match Foreign::of_first_line(line) {
                Some(foreign) if self.is_stranger() => self.reject(&foreign.to_string()),
                Some(_) | None => self.text_line(line),
            },
            Item::Message(bytes) => {
                // From here on as over WebSocket: framing is all that differs.
                let parsed = wire::parse_bytes(bytes, &self.context.limits);
                self.request(parsed);
            }
            // After a length that is none nobody knows where the next item begins.
            Item::Malformed => self.close_after_outputs(CloseReason::Violation),
        }
    }

    /// Whether no line has come yet that a person typed.
    fn is_stranger(&self) -> bool {
        let has_typed = |plain: &PlainTcp| {
            plain.text.as_ref().is_some_and(|text| text.progress >= Progress::Typed)
        };
        matches!(&self.state.protocol, Protocol::Tcp(plain) if !has_typed(plain))
    }

    /// Ends the connection of who should not be here with one line that says so.
    fn reject(&mut self, why: &str) {
        let mut out = Vec::new();
        text::refusal(&mut out, &Refusal::new(Code::BadField, why.to_owned()));
        self.close(out, (CloseReason::Violation, Ending::Linger));
    }
}
