//! A figure of each run as a bar, to be compared.
//!
//! ```text
//!  Title
//!  of what
//!  a run
//!  ████████████ 0.54 µs
//!  another run
//!  ███████████████████ 0.88 µs
//! ```

use plotters::element::{Rectangle, Text};
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{
    self, Area, Drawn, Finished, HEAD, MARGIN, TEXT_SIZE, WIDTH, extent, rounded, shortened, style,
    text_width,
};
use super::colours::Role;

/// What is compared.
#[derive(Clone, Debug)]
pub(super) struct Bars {
    pub(super) title: String,
    /// What the bars measure.
    pub(super) what: String,
    pub(super) bars: Vec<Bar>,
}

/// One run.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) value: f64,
    /// The value as people read it.
    pub(super) words: String,
}

const THICKNESS: i32 = 40;
const ROW: i32 = TEXT_SIZE + 12 + THICKNESS + 28;

impl Bars {
    pub(super) fn draw(&self) -> Option<Finished> {
        let widths = self.bars.iter().map(|bar| text_width(&bar.words));
        let room = extent(WIDTH) - 2 * MARGIN - 20 - widths.max().unwrap_or_default();
        let largest = self.bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
        let rows = i32::try_from(self.bars.len()).ok()?;
        canvas::draw(&self.title, HEAD + rows.checked_mul(ROW)? + MARGIN / 2, |area| {
            canvas::head(area, &self.title, &self.what)?;
            let mut top = HEAD + 12;
            for bar in &self.bars {
                let share = (bar.value / largest).clamp(0.0, 1.0);
                bar.paint(area, top, rounded(share * f64::from(room)))?;
                top += ROW;
            }
            Ok(())
        })
    }
}

impl Bar {
    fn paint(&self, area: &Area<'_>, top: i32, length: i32) -> Drawn {
        let name = style(TEXT_SIZE, Role::Ink, HPos::Left, VPos::Top);
        area.draw(&Text::new(shortened(&self.name), (MARGIN, top), name))?;
        let top = top + TEXT_SIZE + 12;
        // A value that is nothing beside the others is still there.
        let end = MARGIN + length.max(2);
        let corners = [(MARGIN, top), (end, top + THICKNESS)];
        area.draw(&Rectangle::new(corners, self.role.colour().filled()))?;
        let value = style(TEXT_SIZE, Role::Soft, HPos::Left, VPos::Center);
        area.draw(&Text::new(self.words.as_str(), (end + 16, top + THICKNESS / 2), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(values: &[f64]) -> String {
        let bar = |(run, value): (usize, &f64)| Bar {
            name: format!("run <{run}>"),
            role: Role::Line(run),
            value: *value,
            words: format!("{value} µs"),
        };
        let bars = values.iter().enumerate().map(bar).collect();
        Bars { title: "Cost".to_owned(), what: "CPU".to_owned(), bars }.draw().unwrap().svg
    }

    /// The lengths of the bars in a drawing.
    fn lengths(svg: &str) -> Vec<i32> {
        let bars = svg.split("<rect ").skip(1);
        bars.map(|bar| {
            let (_, rest) = bar.split_once("width=\"").unwrap();
            rest.split_once('"').unwrap().0.parse().unwrap()
        })
        .collect()
    }

    #[test]
    fn bars_are_as_long_as_their_values() {
        let svg = draw(&[1.0, 2.0, 0.0]);
        let lengths = lengths(&svg);
        assert!((lengths[0] * 2 - lengths[1]).abs() <= 1 && lengths[2] == 2, "{lengths:?}");
        for part in ["run &lt;0&gt;", "2 µs", "f-c0", "f-c1", "f-c2"] {
            assert!(svg.contains(part), "{part} in {svg}");
        }
    }

    #[test]
    fn no_value_breaks_the_picture() {
        for values in [vec![], vec![0.0], vec![f64::MAX, 1.0], vec![-5.0, 3.0], vec![f64::NAN]] {
            assert!(draw(&values).contains("</svg>"), "{values:?}");
        }
    }
}
