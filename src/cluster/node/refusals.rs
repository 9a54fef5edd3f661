//! What the engine refuses: said in the log now and then, and told to whoever asks whether new
//! clients should come.

use std::time::Duration;

use crate::pg::EngineError;
use crate::time::Tick;

/// At least so long is between two lines.
const LINE_PERIOD: Duration = Duration::from_secs(5);
/// For so long a refusal counts: nobody comes whose message would show that it is over.
const COUNTS_FOR: Duration = Duration::from_secs(10);

/// What was refused of late.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// When the next line may be written, and how many were not.
    next_line_at: Tick,
    suppressed: u64,
    /// When records were refused last, and why.
    last: Option<(Tick, String)>,
}

impl Refusals {
    /// Says that the engine has refused something: `what`, in words.
    pub(super) fn say(&mut self, now: Tick, what: &str, error: &EngineError) {
        if now < self.next_line_at {
            self.suppressed = self.suppressed.saturating_add(1);
            return;
        }
        self.next_line_at = now.after(LINE_PERIOD);
        let suppressed = std::mem::take(&mut self.suppressed);
        log::error!(what, suppressed, error:%; "the engine refuses");
    }

    /// Records were refused for the state of the engine, and not for what they are.
    pub(super) fn begin(&mut self, now: Tick, error: &EngineError) {
        self.last = Some((now, error.to_string()));
    }

    /// Records were written.
    pub(super) fn end(&mut self) {
        self.last = None;
    }

    /// Why nothing can be written, if that was so a moment ago.
    pub(super) fn why(&self, now: Tick) -> Option<&str> {
        let (_, why) = self.last.as_ref().filter(|(at, _)| now < at.after(COUNTS_FOR))?;
        Some(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_counts_until_something_is_written_or_for_a_while() {
        let error = EngineError { code: "53100".into(), ..EngineError::default() };
        let mut refusals = Refusals::default();
        assert_eq!(refusals.why(Tick::ZERO), None);
        refusals.begin(Tick::ZERO, &error);
        let almost = Tick::ZERO.after(COUNTS_FOR.saturating_sub(Duration::from_millis(1)));
        assert!(refusals.why(almost).is_some_and(|why| why.contains("53100")));
        assert_eq!(refusals.why(Tick::ZERO.after(COUNTS_FOR)), None);
        refusals.begin(almost, &error);
        refusals.end();
        assert_eq!(refusals.why(almost), None);
    }
}
