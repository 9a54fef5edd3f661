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

use plotters::element::{Circle, PathElement, Polygon, Text};
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{
    self, Area, Drawn, Finished, HEAD, MARGIN, TEXT_SIZE, WIDTH, extent, shortened, style,
    text_width,
};
use super::colours::Role;
use super::frame::{FOOT, Frame};
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

const LEGEND_ROW: i32 = 50;
const LEGEND_LINE: i32 = 48;
/// Between the legend and the axes.
const GAP: i32 = 28;

impl Plot {
    pub(super) fn draw(&self) -> Option<Finished> {
        let legend = self.entries();
        let rows = legend.last().map_or(0, |entry| entry.row + 1);
        let frame = Frame::new(&self.x, &self.y, HEAD + rows * LEGEND_ROW + GAP);
        canvas::draw(&self.title, frame.bottom + FOOT, |area| {
            canvas::head(area, &self.title, &self.y.name)?;
            for entry in legend {
                entry.paint(area, HEAD)?;
            }
            frame.paint(area)?;
            self.lines.iter().try_for_each(|line| line.paint(area, &frame))
        })
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

/// The points that can be told apart: the first, the last, and of each column the highest and
/// lowest in their order.
fn thinned(points: impl Iterator<Item = (i32, i32)>) -> Vec<(i32, i32)> {
    let mut kept: Vec<(i32, i32)> = Vec::new();
    for point in points {
        // A third point of a column that lies between the others, or beyond the second, takes its
        // place.
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

/// The greatest of a coordinate of all points, at least zero.
pub(super) fn largest(lines: &[Line], of: fn(&(f64, f64)) -> f64) -> f64 {
    lines.iter().flat_map(|line| &line.points).map(of).fold(0.0, f64::max)
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
        let drawn = plot(vec![(0.0, 0.0), (5.0, 100.0), (10.0, 50.0)]).draw();
        let Finished { svg, height, .. } = drawn.unwrap();
        assert!(svg.starts_with(&format!("<svg width=\"1280\" height=\"{height}\"")), "{svg}");
        assert!(svg.trim_end().ends_with("</svg>"), "{svg}");
        for part in ["s-grid", "s-c0", "f-c0", "s-c1", ">\nseconds\n<", ">\none\n<", ">\n100\n<"] {
            assert!(svg.contains(part), "{part} in {svg}");
        }
        assert!(svg.contains("Rate &lt;b&gt;&amp;&quot;") && !svg.contains("#01"), "{svg}");
        assert!(svg.contains(&format!("{}…", "x".repeat(35))), "{svg}");
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
