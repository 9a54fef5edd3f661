//! What a person reads in a terminal.

use super::results::Results;

/// The results in at most 80 columns, ending with a line that says whether all is well.
#[must_use]
pub fn render(results: &Results) -> String {
    let verdict = if results.ok { "ok" } else { "FAILED" };
    format!("{} {}\n{verdict}\n", results.scenario, results.target)
}
