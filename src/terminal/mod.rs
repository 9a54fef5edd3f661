//! For people at a terminal: [`chat`] with a server, and [`top`], which watches one.
//!
//! Both are clients, and see a server only from outside. They are built with the feature
//! `terminal`, so that what only serves is built without a line editor and a screen.

pub mod chat;
pub mod top;

/// Whether colours are shown, and what they look like.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Whether there are any.
    pub has_colours: bool,
}

impl Style {
    /// A text in a colour: the parameters of SGR (ECMA-48 section 8.3.117), such as `2` for faint.
    fn paint(self, text: &str, colour: &str) -> String {
        if self.has_colours { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// What is said about the conversation rather than in it.
    fn faint(self, text: &str) -> String {
        self.paint(text, "2")
    }

    /// What went wrong.
    fn alarming(self, text: &str) -> String {
        self.paint(text, "31")
    }

    /// A name, in a colour of its own.
    fn name(self, shown: &str, name: &str) -> String {
        /// Colours that can be read on black and on white.
        const COLOURS: [&str; 6] = ["31", "32", "33", "34", "35", "36"];
        let sum = name.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31) + usize::from(byte));
        self.paint(shown, COLOURS.get(sum % COLOURS.len()).unwrap_or(&"36"))
    }
}
