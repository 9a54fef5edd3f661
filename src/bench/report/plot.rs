//! One picture: axes, lines and a legend, drawn as SVG.
//!
//! ```text
//!  Title
//!  name of the upright axis
//!  ── a run   ── another run
//!  10 ms ┼─────────────
//!   5 ms ┼──────/──────
//!        0   50   90   99
//!     name of the level axis
//! ```

use std::iter;

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea as _};
use plotters::element::{Circle, PathElement, Polygon, Text};
use plotters::prelude::SVGBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontDesc, FontFamily, FontStyle, TextStyle};

use super::colours::{Role, classify};
use super::ticks::Axis;

/// What a picture shows.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    pub(super) title: String,
    /// The level axis.
    pub(super) x: Axis,
    /// The upright axis.
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
    /// What the colours and dashes mean; empty if there is nothing to tell apart.
    pub(super) legend: Vec<(String, Role)>,
}

/// What belongs together in it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) role: Role,
    /// In the axes' coordinates, ascending; at least one. One alone is a dot.
    pub(super) points: Vec<(f64, f64)>,
    /// Whether the area below is tinted.
    pub(super) filled: bool,
}

/// Units of the picture's width. Coordinates are whole numbers, so there are twice as many as a small
/// screen has.
pub(super) const WIDTH: u32 = 1280;
const PLOT_HEIGHT: i32 = 540;

const TITLE_SIZE: i32 = 42;
const TEXT_SIZE: i32 = 36;
const LEGEND_ROW: i32 = 50;
const LEGEND_LINE: i32 = 48;
const MARGIN: i32 = 36;
/// Letters of a name in the legend.
const NAME_MAX: usize = 36;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

impl Plot {
    /// Draws it, with classes in the place of colours. Returns its height in units as well.
    pub(super) fn draw(&self) -> Option<(String, u32)> {
        let legend = self.entries();
        let rows = legend.last().map_or(0, |entry| entry.row + 1);
        let top = MARGIN + TITLE_SIZE + 16 + TEXT_SIZE + 24 + rows * LEGEND_ROW + 28;
        let frame = Frame::new(self, top);
        let height = frame.bottom + 2 * TEXT_SIZE + 60;
        let height = u32::try_from(height).ok()?;
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
            self.paint(&area, &frame, &legend).ok()?;
            area.present().ok()?;
        }
        Some((classify(&svg), height))
    }

    fn paint(&self, area: &Area<'_>, frame: &Frame<'_>, legend: &[Entry]) -> Drawn {
        let mut down = MARGIN;
        let title = style(TITLE_SIZE, Role::Ink, HPos::Left, VPos::Top);
        let title = TextStyle { font: title.font.style(FontStyle::Bold), ..title };
        area.draw(&Text::new(self.title.as_str(), (MARGIN, down), title))?;
        down += TITLE_SIZE + 16;
        let soft = style(TEXT_SIZE, Role::Soft, HPos::Left, VPos::Top);
        area.draw(&Text::new(self.y.name.as_str(), (MARGIN, down), soft))?;
        down += TEXT_SIZE + 24;
        for entry in legend {
            entry.paint(area, down)?;
        }
        frame.paint(area)?;
        for line in &self.lines {
            line.paint(area, frame)?;
        }
        Ok(())
    }

    /// Where each entry of the legend stands.
    fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        let (mut x, mut row) = (MARGIN, 0);
        for (name, role) in &self.legend {
            let (name, role) = (shortened(name), *role);
            let width = LEGEND_LINE + 16 + text_width(&name) + 40;
            if x > MARGIN && x + width > extent(WIDTH) - MARGIN {
                (x, row) = (MARGIN, row + 1);
            }
            entries.push(Entry { role, name, x, row });
            x += width;
        }
        entries
    }
}

/// A place in the legend.
struct Entry {
    role: Role,
    name: String,
    x: i32,
    row: i32,
}

impl Entry {
    fn paint(&self, area: &Area<'_>, top: i32) -> Drawn {
        let y = top + self.row * LEGEND_ROW + LEGEND_ROW / 2;
        let stroke = self.role.colour().stroke_width(6);
        area.draw(&PathElement::new(vec![(self.x, y), (self.x + LEGEND_LINE, y)], stroke))?;
        let style = style(TEXT_SIZE, Role::Ink, HPos::Left, VPos::Center);
        area.draw(&Text::new(self.name.as_str(), (self.x + LEGEND_LINE + 16, y), style))
    }
}

/// The rectangle between the axes, and how their coordinates become units of the picture.
struct Frame<'a> {
    x: &'a Axis,
    y: &'a Axis,
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
}

impl<'a> Frame<'a> {
    fn new(plot: &'a Plot, top: i32) -> Self {
        let widths = plot.y.marks.iter().map(|(_, words)| text_width(words));
        let left = MARGIN + widths.max().unwrap_or_default() + 20;
        let last = plot.x.marks.last().map_or(0, |(_, words)| text_width(words) / 2);
        let right = extent(WIDTH) - MARGIN.max(last + 8);
        Self { x: &plot.x, y: &plot.y, left, right, top, bottom: top + PLOT_HEIGHT }
    }

    fn place(&self, (x, y): (f64, f64)) -> (i32, i32) {
        (self.across(x), self.upwards(y))
    }

    fn across(&self, x: f64) -> i32 {
        between(self.x, x, self.left, self.right)
    }

    fn upwards(&self, y: f64) -> i32 {
        between(self.y, y, self.bottom, self.top)
    }

    fn paint(&self, area: &Area<'_>) -> Drawn {
        let grid = Role::Grid.colour().stroke_width(2);
        let axis = Role::Soft.colour().stroke_width(2);
        for (at, words) in &self.y.marks {
            let y = self.upwards(*at);
            area.draw(&PathElement::new(vec![(self.left, y), (self.right, y)], grid))?;
            let style = style(TEXT_SIZE, Role::Soft, HPos::Right, VPos::Center);
            area.draw(&Text::new(words.as_str(), (self.left - 18, y), style))?;
        }
        for (at, words) in &self.x.marks {
            let x = self.across(*at);
            let mark = vec![(x, self.bottom), (x, self.bottom + 10)];
            area.draw(&PathElement::new(mark, axis))?;
            let style = style(TEXT_SIZE, Role::Soft, HPos::Center, VPos::Top);
            area.draw(&Text::new(words.as_str(), (x, self.bottom + 20), style))?;
        }
        let floor = vec![(self.left, self.bottom), (self.right, self.bottom)];
        area.draw(&PathElement::new(floor, axis))?;
        let style = style(TEXT_SIZE, Role::Soft, HPos::Center, VPos::Top);
        let middle = i32::midpoint(self.left, self.right);
        let below = self.bottom + 20 + TEXT_SIZE + 14;
        area.draw(&Text::new(self.x.name.as_str(), (middle, below), style))
    }
}

impl Line {
    fn paint(&self, area: &Area<'_>, frame: &Frame<'_>) -> Drawn {
        let points = thinned(self.points.iter().map(|point| frame.place(*point)));
        let colour = self.role.colour();
        if let [only] = points.as_slice() {
            return area.draw(&Circle::new(*only, 8, colour.filled()));
        }
        if let (true, Some(first), Some(last)) = (self.filled, points.first(), points.last()) {
            let floor = [(last.0, frame.bottom), (first.0, frame.bottom)];
            let outline: Vec<_> = points.iter().copied().chain(floor).collect();
            area.draw(&Polygon::new(outline, colour.mix(0.12).filled()))?;
        }
        area.draw(&PathElement::new(points, colour.stroke_width(5)))
    }
}

/// The points that can be told apart: the first, the last, and of each column the highest and lowest in their
/// order.
fn thinned(points: impl Iterator<Item = (i32, i32)>) -> Vec<(i32, i32)> {
    let mut kept: Vec<(i32, i32)> = Vec::new();
    for point in points {
        // A third point of a column that lies between the others, or beyond the second, takes its place.
        if let [.., first, second] = kept.as_slice()
            && first.0 == point.0
            && second.0 == point.0
            && (second.1 - first.1).signum() * (point.1 - second.1).signum() >= 0
        {
            kept.pop();
        }
        if kept.last() != Some(&point) {
            kept.push(point);
        }
    }
    kept
}

/// The unit at which `value` of `axis` lies, if its ends lie at `start` and `end`. What lies outside is
/// at the end.
fn between(axis: &Axis, value: f64, start: i32, end: i32) -> i32 {
    let share = ((value - axis.start) / (axis.end - axis.start)).clamp(0.0, 1.0);
    let share = if share.is_finite() { share } else { 0.0 };
    rounded(f64::from(start) + share * f64::from(end - start))
}

fn style(size: i32, role: Role, h_pos: HPos, v_pos: VPos) -> TextStyle<'static> {
    /// What the library divides a size by, to give that of a capital letter.
    const BACKEND: f64 = 1.24;
    let family = FontFamily::Name("system-ui, sans-serif");
    let font = FontDesc::new(family, f64::from(size) * BACKEND, FontStyle::Normal);
    TextStyle { font, color: role.colour().to_backend_color(), pos: Pos::new(h_pos, v_pos) }
}

/// About the width of a text, as wide as a usual font makes it: the fonts are the reader's.
fn text_width(text: &str) -> i32 {
    let width = |letter| match letter {
        'i' | 'l' | 'j' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.34,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-' => 0.42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.95,
        _ => 0.64,
    };
    rounded(text.chars().map(width).sum::<f64>() * f64::from(TEXT_SIZE))
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME_MAX {
        return name.to_owned();
    }
    name.chars().take(NAME_MAX - 1).chain(iter::once('…')).collect()
}

fn extent(units: u32) -> i32 {
    i32::try_from(units).unwrap_or(i32::MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "a unit of a picture; the cast saturates")]
fn rounded(value: f64) -> i32 {
    value.round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, f64)>) -> Plot {
        Plot {
            title: "Rate <b>&\"".to_owned(),
            x: Axis::count("seconds", 10.0),
            y: Axis::count("deliveries", 100.0),
            lines: vec![Line { role: Role::Line(0), points, filled: true }],
            legend: vec![("one".to_owned(), Role::Line(0)), ("x".repeat(90), Role::Line(1))],
        }
    }

    #[test]
    fn a_picture_has_its_axes_its_lines_and_its_legend() {
        let (svg, height) = plot(vec![(0.0, 0.0), (5.0, 100.0), (10.0, 50.0)]).draw().unwrap();
        assert!(svg.starts_with(&format!("<svg width=\"1280\" height=\"{height}\"")), "{svg}");
        assert!(svg.trim_end().ends_with("</svg>"), "{svg}");
        for part in ["s-grid", "s-c0", "f-c0", "s-c1", ">\nseconds\n<", ">\none\n<", ">\n100\n<"] {
            assert!(svg.contains(part), "{part} in {svg}");
        }
        assert!(svg.contains("Rate &lt;b&gt;&amp;&quot;") && !svg.contains("#01"), "{svg}");
        assert!(svg.contains(&format!("{}…", "x".repeat(NAME_MAX - 1))), "{svg}");
    }

    #[test]
    fn what_lies_outside_stays_within_the_picture() {
        let wild = vec![(-1e300, 1e300), (f64::NAN, f64::NAN), (f64::INFINITY, -5.0)];
        let frame = plot(vec![(0.0, 0.0)]);
        let frame = Frame::new(&frame, 100);
        for point in wild {
            let (x, y) = frame.place(point);
            assert!((frame.left..=frame.right).contains(&x), "{x}");
            assert!((frame.top..=frame.bottom).contains(&y), "{y}");
        }
    }

    #[test]
    fn a_line_of_very_many_points_is_drawn_with_few() {
        let points = |count: i32| (0..count).map(|index| (index / 1000, (index * 7) % 90));
        let thin = thinned(points(100_000));
        assert!(thin.len() > 100, "{}", thin.len());
        let straight = thinned((0..100_000).map(|index| (index / 1000, 5)));
        assert_eq!(straight.len(), 100);
        let rising = thinned((0..100_000).map(|index| (index / 50_000, index)));
        assert_eq!(rising, [(0, 0), (0, 49_999), (1, 50_000), (1, 99_999)]);
        assert_eq!(thinned([(1, 1)].into_iter()), [(1, 1)]);
    }

    #[test]
    fn a_long_legend_takes_several_rows_and_none_is_cut() {
        let mut plot = plot(vec![(0.0, 0.0)]);
        plot.legend = (0..9).map(|run| (format!("a server, {run}"), Role::Line(run))).collect();
        let entries = plot.entries();
        assert!(entries.last().unwrap().row > 0);
        for entry in entries {
            let end = entry.x + LEGEND_LINE + 16 + text_width(&entry.name);
            assert!(end <= extent(WIDTH) - MARGIN, "{}", entry.name);
        }
    }
}
