//! Text in HTML: results may come from a file that a stranger wrote.

use std::fmt;

/// Shows text so that nothing in it is markup, in an element as in a quoted attribute. Control
/// characters become U+FFFD.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' => f.write_str("\n")?,
                letter if letter.is_control() => f.write_str("\u{fffd}")?,
                letter => fmt::Write::write_char(f, letter)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        let check = |text: &str, expect: &str| assert_eq!(Escaped(text).to_string(), expect);
        check("plain – ünïcode 文", "plain – ünïcode 文");
        check(
            "</script><b a='1' c=\"2\">&amp;",
            "&lt;/script&gt;&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp;",
        );
        check("a\u{0}\u{1b}[31m\nb\u{85}", "a\u{fffd}\u{fffd}[31m\nb\u{fffd}");
    }
}
