//! Which colour is whose.

use super::colours::Role;
use crate::results::Results;

/// The role of a run's line: runs have colours, and the second quantity of each has dashes. A
/// single run's quantities have colours instead.
pub(super) fn role(runs: usize, run: usize, number: usize) -> Role {
    match (runs, number) {
        (1, number) => Role::Line(number),
        (_, 0) => Role::Line(run),
        (_, _) => Role::Dashed(run),
    }
}

/// Says whose each colour is, and what dashes mean.
pub(super) fn legend(results: &[Results], quantities: &[&str]) -> Vec<(String, Role)> {
    let names = || quantities.iter().map(|name| (*name).to_owned());
    if results.len() == 1 {
        let names = names().filter(|name| !name.is_empty());
        return names.enumerate().map(|(number, name)| (name, Role::Line(number))).collect();
    }
    let runs = results.iter().map(|run| visible(run.name())).enumerate();
    let runs = runs.map(|(run, name)| (name, Role::Line(run)));
    let dashes = names().zip([Role::Soft, Role::SoftDashed]).filter(|_| quantities.len() > 1);
    runs.chain(dashes).collect()
}

/// A name from a file, without what a picture cannot hold.
pub(super) fn visible(name: &str) -> String {
    let is_hidden =
        |letter: &char| letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}');
    name.chars().map(|letter| if is_hidden(&letter) { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(count: usize) -> Vec<Results> {
        let named = |run| Results { label: Some(format!("run {run}")), ..Results::default() };
        (0..count).map(named).collect()
    }

    #[test]
    fn a_single_run_has_colours_for_its_quantities_and_several_have_dashes() {
        let check =
            |runs_count, run, number, expect| assert_eq!(role(runs_count, run, number), expect);
        check(1, 0, 0, Role::Line(0));
        check(1, 0, 1, Role::Line(1));
        check(3, 2, 0, Role::Line(2));
        check(3, 2, 1, Role::Dashed(2));
    }

    #[test]
    fn the_legend_names_what_must_be_told_apart() {
        let check = |results: &[Results], quantities: &[&str], expect: &[(&str, Role)]| {
            let legend = legend(results, quantities);
            let legend: Vec<_> = legend.iter().map(|(name, role)| (name.as_str(), *role)).collect();
            assert_eq!(legend, expect);
        };
        let plain = &[""];
        let memory = &["server", "kernel"];
        check(&runs(1), plain, &[]);
        check(&runs(1), memory, &[("server", Role::Line(0)), ("kernel", Role::Line(1))]);
        check(&runs(2), plain, &[("run 0", Role::Line(0)), ("run 1", Role::Line(1))]);
        let both = [
            ("run 0", Role::Line(0)),
            ("run 1", Role::Line(1)),
            ("server", Role::Soft),
            ("kernel", Role::SoftDashed),
        ];
        check(&runs(2), memory, &both);
    }
}
