//! What pictures are drawn on: sizes, texts, and the way from a drawing to SVG.

use std::iter;

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea as _};
use plotters::element::Text;
use plotters::prelude::SVGBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontDesc, FontFamily, FontStyle, TextStyle};

use super::colours::{Role, classify};

/// Units of a picture's width. Coordinates are whole numbers, so there are twice as many as a small
/// screen has.
pub(super) const WIDTH: u32 = 1280;
/// Units at each side.
pub(super) const MARGIN: i32 = 36;
/// Height of all text but the title.
pub(super) const TEXT_SIZE: i32 = 36;
const TITLE_SIZE: i32 = 42;
/// Where the title and the line below it end.
pub(super) const HEAD: i32 = MARGIN + TITLE_SIZE + 16 + TEXT_SIZE + 24;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// A picture that is done: SVG with classes in the place of colours, and its height in units.
#[derive(Clone, Debug)]
pub(super) struct Finished {
    pub(super) title: String,
    pub(super) svg: String,
    pub(super) height: u32,
}

/// Draws a picture. `None` if it does not fit into one, which is more runs than there are colours
/// for.
pub(super) fn draw(
    title: &str,
    height: i32,
    paint: impl FnOnce(&Area<'_>) -> Drawn,
) -> Option<Finished> {
    let height = u32::try_from(height).ok()?;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        paint(&area).ok()?;
        area.present().ok()?;
    }
    Some(Finished { title: title.to_owned(), svg: classify(&svg), height })
}

/// Writes the title, and below it what is measured.
pub(super) fn head(area: &Area<'_>, title: &str, what: &str) -> Drawn {
    let bold = style(TITLE_SIZE, Role::Ink, HPos::Left, VPos::Top);
    let bold = TextStyle { font: bold.font.style(FontStyle::Bold), ..bold };
    area.draw(&Text::new(title, (MARGIN, MARGIN), bold))?;
    let soft = style(TEXT_SIZE, Role::Soft, HPos::Left, VPos::Top);
    area.draw(&Text::new(what, (MARGIN, MARGIN + TITLE_SIZE + 16), soft))
}

/// How a text looks and which of its points is given.
pub(super) fn style(size: i32, role: Role, h_pos: HPos, v_pos: VPos) -> TextStyle<'static> {
    /// What the library divides a size by, to give that of a capital letter.
    const BACKEND: f64 = 1.24;
    let family = FontFamily::Name("system-ui, sans-serif");
    let font = FontDesc::new(family, f64::from(size) * BACKEND, FontStyle::Normal);
    TextStyle { font, color: role.colour().to_backend_color(), pos: Pos::new(h_pos, v_pos) }
}

/// About the width of a text, as wide as a usual font makes it: the fonts are the reader's.
pub(super) fn text_width(text: &str) -> i32 {
    let width = |letter| match letter {
        'i' | 'l' | 'j' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.34,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-' => 0.42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.95,
        _ => 0.64,
    };
    rounded(text.chars().map(width).sum::<f64>() * f64::from(TEXT_SIZE))
}

/// A name as it fits beside others.
pub(super) fn shortened(name: &str) -> String {
    /// Letters of it.
    const NAME_MAX: usize = 36;
    if name.chars().count() <= NAME_MAX {
        return name.to_owned();
    }
    name.chars().take(NAME_MAX - 1).chain(iter::once('…')).collect()
}

/// Units of a size as units of a place.
pub(super) fn extent(units: u32) -> i32 {
    i32::try_from(units).unwrap_or(i32::MAX)
}

/// The unit of the picture that is nearest.
#[expect(clippy::cast_possible_truncation, reason = "a unit of a picture; the cast saturates")]
pub(super) fn rounded(value: f64) -> i32 {
    value.round() as i32
}
