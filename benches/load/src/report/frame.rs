//! The axes of a picture, and where between them a point lies.

use plotters::element::{PathElement, Text};
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{Area, Drawn, MARGIN, TEXT_SIZE, WIDTH, extent, rounded, style, text_width};
use super::colours::Role;
use super::ticks::Axis;

const HEIGHT: i32 = 540;
/// Below the level axis: its marks' words and its name.
pub(super) const FOOT: i32 = 2 * TEXT_SIZE + 60;
/// Between the words of two marks.
const GAP: i32 = 10;

/// The rectangle between the axes, and how their coordinates become units of the picture.
pub(super) struct Frame<'a> {
    x: &'a Axis,
    y: &'a Axis,
    left: i32,
    right: i32,
    top: i32,
    pub(super) bottom: i32,
}

impl<'a> Frame<'a> {
    /// The rectangle below `top`, with room for the words of the marks.
    pub(super) fn new(x: &'a Axis, y: &'a Axis, top: i32) -> Self {
        let widths = y.marks.iter().map(|(_, words)| text_width(words));
        let left = MARGIN + widths.max().unwrap_or_default() + 20;
        let last = x.marks.last().map_or(0, |(_, words)| text_width(words) / 2);
        let right = extent(WIDTH) - MARGIN.max(last + 8);
        Self { x, y, left, right, top, bottom: top + HEIGHT }
    }

    /// The unit of the picture where a point lies.
    pub(super) fn place(&self, (x, y): (f64, f64)) -> (i32, i32) {
        (self.across(x), self.upwards(y))
    }

    fn across(&self, x: f64) -> i32 {
        between(self.x, x, self.left, self.right)
    }

    fn upwards(&self, y: f64) -> i32 {
        between(self.y, y, self.bottom, self.top)
    }

    /// Draws the axes.
    pub(super) fn paint(&self, area: &Area<'_>) -> Drawn {
        let grid = Role::Grid.colour().stroke_width(2);
        let axis = Role::Soft.colour().stroke_width(2);
        for (at, words) in &self.y.marks {
            let y = self.upwards(*at);
            area.draw(&PathElement::new(vec![(self.left, y), (self.right, y)], grid))?;
            let style = style(TEXT_SIZE, Role::Soft, HPos::Right, VPos::Center);
            area.draw(&Text::new(words.as_str(), (self.left - 18, y), style))?;
        }
        let mut free = i32::MIN;
        for (at, words) in &self.x.marks {
            let x = self.across(*at);
            let mark = vec![(x, self.bottom), (x, self.bottom + 10)];
            area.draw(&PathElement::new(mark, axis))?;
            // Marks of a logarithm come closer and closer: one without room has no words.
            let half = text_width(words) / 2;
            if x - half < free {
                continue;
            }
            free = x + half + GAP;
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

/// The unit at which `value` of `axis` lies, if its ends lie at `start` and `end`. What lies
/// outside is at the end.
fn between(axis: &Axis, value: f64, start: i32, end: i32) -> i32 {
    let share = ((value - axis.start) / (axis.end - axis.start)).clamp(0.0, 1.0);
    let share = if share.is_finite() { share } else { 0.0 };
    rounded(f64::from(start) + share * f64::from(end - start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_outside_stays_within_the_picture() {
        let (x, y) = (Axis::count("seconds", 10.0), Axis::count("deliveries", 100.0));
        let frame = Frame::new(&x, &y, 100);
        let check = |point, expect| assert_eq!(frame.place(point), expect, "{point:?}");
        let (left, right, top, bottom) = (frame.left, frame.right, frame.top, frame.bottom);
        check((0.0, 0.0), (left, bottom));
        check((10.0, 100.0), (right, top));
        check((-1e300, 1e300), (left, top));
        check((f64::INFINITY, -5.0), (right, bottom));
        check((f64::NAN, f64::NAN), (left, bottom));
    }

    #[test]
    fn an_axis_without_extent_does_not_divide_by_it() {
        let flat = Axis { end: 0.0, ..Axis::count("", 1.0) };
        assert_eq!(between(&flat, 5.0, 10, 20), 20);
        assert_eq!(between(&flat, 0.0, 10, 20), 10);
    }
}
