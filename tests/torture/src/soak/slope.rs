//! How steeply a measurement rises.

/// The slope of the straight line that is nearest to all `(x, y)` (least squares); `None` if all
/// have the same x.
pub(crate) fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.iter().fold(0.0, |count, _| count + 1.0);
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
    let covariance: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    (variance > 0.0).then(|| covariance / variance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(points: &[(f64, f64)], expected: Option<f64>) {
        let found = slope(points);
        let near = |(found, expected): (f64, f64)| (found - expected).abs() < 1e-9;
        assert!(
            found.is_some() == expected.is_some() && found.zip(expected).is_none_or(near),
            "{found:?}"
        );
    }

    #[test]
    fn a_line_has_its_own_slope_and_a_point_has_none() {
        check(&[(0.0, 5.0), (1.0, 7.0), (2.0, 9.0)], Some(2.0));
        check(&[(0.0, 5.0), (10.0, 5.0)], Some(0.0));
        check(&[(1.0, 0.0), (2.0, 4.0), (3.0, 2.0)], Some(1.0));
        check(&[(1.0, 1.0)], None);
        check(&[], None);
    }
}
