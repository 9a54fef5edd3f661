//! Whether all is well, in words.

use super::{plain, whole};
use crate::results::{Faults, Results};
use crate::units::percent;

/// What limits the meaning of the figures, if something does.
#[must_use]
pub fn warning(results: &Results) -> Option<String> {
    let generator = &results.generator;
    let busy = generator.busy.filter(|_| generator.is_bottleneck)?;
    let of = if generator.processes > 1 {
        format!(" in {} processes", generator.processes)
    } else {
        String::new()
    };
    Some(format!(
        "warning: the generator was the bottleneck ({} of a core{of}): rates are lower bounds and \
         latencies include its own; compare the server's CPU instead",
        percent(busy)
    ))
}

/// `ok`, or `FAILED` and what went wrong, in words.
#[must_use]
pub fn verdict(results: &Results) -> String {
    let mut wrong = fault_words(results.faults);
    wrong.extend(results.failures.iter().map(|failure| plain(failure)));
    match (results.ok && wrong.is_empty(), wrong.is_empty()) {
        (true, _) if results.deliveries > 0 => {
            "ok: every delivery came once and in order".to_owned()
        }
        (true, _) => "ok".to_owned(),
        (false, true) => "FAILED".to_owned(),
        (false, false) => format!("FAILED: {}", wrong.join(", ")),
    }
}

fn fault_words(faults: Faults) -> Vec<String> {
    let Faults { gaps, duplicates, reordered, lost, unexpected, disconnected } = faults;
    let named = [
        (gaps, "message was skipped", "messages were skipped"),
        (duplicates, "message came twice", "messages came twice"),
        (reordered, "message came out of order", "messages came out of order"),
        (lost, "message never came", "messages never came"),
        (unexpected, "message was not expected", "messages were not expected"),
        (disconnected, "connection was cut by the server", "connections were cut by the server"),
    ];
    let counted = named.into_iter().filter(|(count, _, _)| *count > 0);
    counted
        .map(|(count, one, many)| {
            format!("{} {}", whole(count), if count == 1 { one } else { many })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(faults: Faults, failures: &[&str], expect: &str) {
        let mut results = Results::new("fanout", "ws://127.0.0.1:1/ws");
        results.deliveries = 5;
        results.faults = faults;
        results.ok = faults == Faults::default();
        for failure in failures {
            results.fail(*failure);
        }
        assert_eq!(verdict(&results), expect);
    }

    #[test]
    fn faults_are_counted_in_words() {
        check(Faults::default(), &[], "ok: every delivery came once and in order");
        let one = Faults { lost: 1, disconnected: 1, ..Faults::default() };
        check(one, &[], "FAILED: 1 message never came, 1 connection was cut by the server");
        let many = Faults { gaps: 2, duplicates: 1_500, ..Faults::default() };
        check(
            many,
            &["because"],
            "FAILED: 2 messages were skipped, 1,500 messages came twice, because",
        );
    }

    #[test]
    fn a_failure_without_a_reason_is_one() {
        let results = Results { ok: false, ..Results::default() };
        assert_eq!(verdict(&results), "FAILED");
        let results = Results { ok: true, failures: vec!["a lie".to_owned()], ..results };
        assert_eq!(verdict(&results), "FAILED: a lie");
    }

    #[test]
    fn a_bottleneck_is_warned_of() {
        let mut results = Results::new("fanout", "ws://127.0.0.1:1/ws");
        assert_eq!(warning(&results), None);
        results.generator.busy = Some(1.93);
        results.generator.processes = 2;
        assert_eq!(warning(&results), None);
        results.generator.is_bottleneck = true;
        let expect = "warning: the generator was the bottleneck (193 % of a core in 2 processes)";
        assert!(warning(&results).is_some_and(|text| text.starts_with(expect)));
    }
}
