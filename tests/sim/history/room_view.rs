//! What one connection has seen of one room: dense, ascending, nothing twice, nothing left out in
//! silence.

use chinwag::time::Tick;
use serde_json::Value;

pub(crate) use super::people::People;
use super::{Check, History, LogKey, items, number, text};

/// A connection's subscription to a room, as its client understands it.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) log: LogKey,
    /// The seq that must come next.
    pub(crate) next: u64,
    /// A replay is under way: `live` must follow.
    pub(crate) behind: bool,
    /// A gap that was announced and has to be justified by what comes behind it.
    gap_to: Option<u64>,
    /// The last step was an answer: its cursor may have been behind without a record to be
    /// replayed.
    answered: bool,
    /// Up to which seq it must show what was changed.
    pub(crate) upto: u64,
    /// The user was put out at this seq: nothing follows but that the room was left.
    put_out: Option<u64>,
    /// An answer came out of its place, which is right only if nothing of the room follows.
    cut: Option<u64>,
    pub(crate) people: People,
}

/// Where the answer to a `send` stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) seq: u64,
    pub(crate) dup: bool,
    /// The event comes before the answer.
    pub(crate) echo: bool,
}

impl View {
    /// A cursor that needs `next`, behind or live.
    pub(crate) fn new(log: LogKey, next: u64, behind: bool) -> Self {
        Self {
            log,
            next,
            behind,
            gap_to: None,
            answered: false,
            upto: 0,
            put_out: None,
            cut: None,
            people: People::default(),
        }
    }

    /// A cursor that needs `next`, since what was before is no longer there.
    pub(crate) fn behind_gap(log: LogKey, next: u64) -> Self {
        Self { gap_to: Some(next - 1), ..Self::new(log, next, true) }
    }

    /// Anything but the end of the subscription.
    fn goes_on(&self) -> Check {
        if let Some(seq) = self.put_out {
            return Err(format!("it goes on behind {seq}, which has put the user out"));
        }
        self.cut.map_or(Ok(()), |seq| Err(format!("the answer {seq} was not in its place")))
    }

    /// A live record.
    pub(crate) fn live_record(
        &mut self,
        history: &mut History,
        event: &Value,
        viewer: &str,
        now: Tick,
    ) -> Check {
        if self.behind {
            return Err("a live record while a replay is under way".to_owned());
        }
        self.streamed_record(history, event, viewer, now)
    }

    /// A record of a stream of events, where none says whether it is live.
    pub(crate) fn streamed_record(
        &mut self,
        history: &mut History,
        event: &Value,
        viewer: &str,
        now: Tick,
    ) -> Check {
        self.goes_on()?;
        if event.get("cid").is_some() {
            return Err("a live record with a cid".to_owned());
        }
        let seq = number(event, "seq")?;
        self.advance(seq)?;
        history.record(self.log, event, (viewer, 0), now)?;
        if event.get("target").and_then(Value::as_str) == Some(viewer)
            && matches!(text(event, "act")?, "kick" | "ban")
        {
            self.put_out = Some(seq);
        }
        Ok(())
    }

    /// A part of the log.
    pub(crate) fn replay(
        &mut self,
        history: &mut History,
        event: &Value,
        viewer: &str,
        now: Tick,
    ) -> Check {
        self.goes_on()?;
        let items = items(event, "items")?;
        for item in items {
            self.advance(number(item, "seq")?)?;
            history.record(self.log, item, (viewer, self.upto), now)?;
        }
        if items.is_empty() || number(event, "to")? != self.next - 1 {
            return Err(format!("a replay that does not end where it says: {event}"));
        }
        self.behind = true;
        Ok(())
    }

    /// Records that are no longer there.
    pub(crate) fn gap(&mut self, event: &Value) -> Check {
        self.goes_on()?;
        let (from, to) = (number(event, "from")?, number(event, "to")?);
        let why = text(event, "why")?;
        // The gap of a join is told when the cursor stands behind it already.
        if from != self.next || to < from || !matches!(why, "pruned" | "limit") {
            return Err(format!("a gap where {} was due: {event}", self.next));
        }
        self.next = to + 1;
        self.behind = true;
        if why == "pruned" {
            self.gap_to = Some(to);
        }
        Ok(())
    }

    /// The cursor has caught up.
    pub(crate) fn live(&mut self, history: &History, event: &Value) -> Check {
        self.goes_on()?;
        let seq = number(event, "seq")?;
        if !self.behind && !std::mem::take(&mut self.answered) {
            return Err("live was said to a cursor that was live".to_owned());
        }
        if seq + 1 != self.next {
            return Err(format!("live at {seq} where {} was due", self.next));
        }
        self.behind = false;
        // At least what was dropped last and everything behind it did not fit the ring together.
        if let Some(to) = self.gap_to.take()
            && !history.may_lack(self.log, (to, seq))
        {
            return Err(format!("a gap up to {to} that there was still room for at {seq}"));
        }
        Ok(())
    }

    /// The answer to a `send`. When a subscription ends, answers that waited for their place in a
    /// replay are given without it.
    pub(crate) fn answer(&mut self, answer: Answer) -> Check {
        let before = self.next;
        let result = self.place(answer);
        self.answered = self.next > before || answer.echo;
        result
    }

    fn place(&mut self, Answer { seq, dup, echo }: Answer) -> Check {
        match seq.checked_add(1) {
            Some(after) if echo && !dup && after == self.next => Ok(()),
            _ if dup && seq < self.next => Ok(()),
            _ if seq > self.next || (echo && !dup && seq == self.next) || self.cut.is_some() => {
                self.cut = Some(seq);
                Ok(())
            }
            _ if echo && !dup => Err(format!("the answer {seq} is not behind its event")),
            _ => self.advance(seq),
        }
    }

    fn advance(&mut self, seq: u64) -> Check {
        if seq != self.next {
            return Err(format!("seq {seq} where {} was due", self.next));
        }
        self.next = seq + 1;
        self.answered = false;
        Ok(())
    }
}
