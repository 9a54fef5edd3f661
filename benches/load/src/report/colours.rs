//! Colours by what they are for. What they are is said in a style sheet, for light and for dark.
//!
//! The plotting library knows numbers only, so each role is a number that is no colour, and becomes
//! a class when the picture is done.

use std::fmt::Write as _;

use plotters::style::RGBColor;

/// Runs that have a colour of their own; the next one begins again.
pub(super) const COLOURS: usize = 6;

/// What something is drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// What is to be read first.
    Ink,
    /// What is to be read second.
    Soft,
    /// The same with dashes, where it is a line.
    SoftDashed,
    /// Lines behind everything.
    Grid,
    /// A run, or a thing that is measured.
    Line(usize),
    /// The other thing of the same run: drawn with dashes.
    Dashed(usize),
}

/// The first byte of every role.
const MARK: u8 = 1;

impl Role {
    pub(super) fn colour(self) -> RGBColor {
        let index = |index: usize| u8::try_from(index % COLOURS).unwrap_or_default();
        match self {
            Self::Ink => RGBColor(MARK, 0, 0),
            Self::Soft => RGBColor(MARK, 0, 1),
            Self::SoftDashed => RGBColor(MARK, 0, 3),
            Self::Grid => RGBColor(MARK, 0, 2),
            Self::Line(run) => RGBColor(MARK, 1, index(run)),
            Self::Dashed(run) => RGBColor(MARK, 2, index(run)),
        }
    }
}

/// Puts classes in the place of roles: `stroke="#010102"` becomes `class="s-grid"`.
pub(super) fn classify(svg: &str) -> String {
    let mut text = String::with_capacity(svg.len());
    let mut rest = svg;
    // Text is escaped, so no quotation mark of it stands in the way.
    while let Some((before, from)) = rest.split_once("=\"#01") {
        let attribute = before.rsplit(' ').next().unwrap_or_default();
        let class = from
            .split_once('"')
            .and_then(|(code, after)| Some((name_of(code)?, prefix_of(attribute)?, after)));
        let Some((name, prefix, after)) = class else {
            text.push_str(before);
            text.push_str("=\"#01");
            rest = from;
            continue;
        };
        text.push_str(before.strip_suffix(attribute).unwrap_or(before));
        _ = write!(text, "class=\"{prefix}-{name}\"");
        rest = after;
    }
    text + rest
}

fn prefix_of(attribute: &str) -> Option<char> {
    match attribute {
        "stroke" => Some('s'),
        "fill" => Some('f'),
        _ => None,
    }
}

fn name_of(code: &str) -> Option<String> {
    Some(match code.split_at_checked(2)? {
        ("00", "00") => "ink".to_owned(),
        ("00", "01") => "soft".to_owned(),
        ("00", "02") => "grid".to_owned(),
        ("00", "03") => "dash".to_owned(),
        ("01", run) => format!("c{}", run.strip_prefix('0')?),
        ("02", run) => format!("d{}", run.strip_prefix('0')?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(svg: &str, expect: &str) {
        assert_eq!(classify(svg), expect);
    }

    #[test]
    fn roles_become_classes() {
        check(
            r##"<line opacity="1" stroke="#010002" x1="5"/>"##,
            r#"<line opacity="1" class="s-grid" x1="5"/>"#,
        );
        check(r##"<text fill="#010000">a</text>"##, r#"<text class="f-ink">a</text>"#);
        check(
            r##"<a fill="none" stroke="#010103"/><b stroke="#010205"/>"##,
            r#"<a fill="none" class="s-c3"/><b class="s-d5"/>"#,
        );
        check("nothing", "nothing");
    }

    #[test]
    fn what_is_no_role_is_left_alone() {
        check(r##"<a fill="#020002" b="#01"##, r##"<a fill="#020002" b="#01"##);
        check(r##"<a fill="#010909"/>"##, r##"<a fill="#010909"/>"##);
        check(r##"<a width="#010000"/>"##, r##"<a width="#010000"/>"##);
        check(r##"stroke="#01é000""##, r##"stroke="#01é000""##);
    }

    #[test]
    fn every_role_has_its_class() {
        let all = [Role::Ink, Role::Soft, Role::SoftDashed, Role::Grid];
        let runs = (0..=COLOURS).flat_map(|run| [Role::Line(run), Role::Dashed(run)]);
        for role in all.into_iter().chain(runs) {
            let RGBColor(red, green, blue) = role.colour();
            let svg = format!("stroke=\"#{red:02X}{green:02X}{blue:02X}\"");
            assert!(classify(&svg).starts_with("class=\"s-"), "{role:?}: {}", classify(&svg));
        }
    }
}
