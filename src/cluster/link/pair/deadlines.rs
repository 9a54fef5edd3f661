//! Until when what.

use std::time::Duration;

use super::super::base::Base;
use super::super::bounds::{BEAT_EVERY, HEARING_MAX, READ_DEADLINE, SLOW_AFTER, WRITE_DEADLINE};
use super::super::connection::Question;
use super::{Pair, Step};
use crate::time::Tick;

impl Pair {
    /// When it has to go on if nothing comes.
    pub(in super::super) fn deadline(&self, base: &Base) -> Tick {
        let bus = match self.step {
            Step::Hearing | Step::Up => base.tells.due().unwrap_or(Tick::MAX),
            Step::Reading | Step::Confirming => Tick::MAX,
        };
        self.owed_deadline().min(self.beat_deadline()).min(bus)
    }

    /// Until when the engine has to answer.
    pub(in super::super) fn owed_deadline(&self) -> Tick {
        self.write_deadline().min(self.read_deadline()).min(self.hearing_deadline())
    }

    /// What the engine owes has its whole time from now on; once, until it answers something.
    pub(in super::super) fn restart_clocks(&mut self, now: Tick) {
        if std::mem::replace(&mut self.has_restarted, true) {
            return;
        }
        self.writer.restart_clock(now);
        self.reader.restart_clock(now);
        self.awaited = self.awaited.map(|(counter, _)| (counter, now));
    }

    /// Whether that was done, and nothing was answered since.
    pub(in super::super) const fn has_restarted(&self) -> bool {
        self.has_restarted
    }

    pub(super) fn write_deadline(&self) -> Tick {
        self.writer.waits_since().map_or(Tick::MAX, |since| since.after(WRITE_DEADLINE))
    }

    /// What a read may take.
    pub(super) fn patience(&self) -> Duration {
        if self.step == Step::Up { READ_DEADLINE } else { WRITE_DEADLINE }
    }

    pub(super) fn read_deadline(&self) -> Tick {
        self.reader.waits_since().map_or(Tick::MAX, |since| since.after(self.patience()))
    }

    /// While a session is busy with a read, it hears nothing.
    pub(super) fn hearing_deadline(&self) -> Tick {
        match self.awaited {
            Some((_, since)) if self.reader.waits_since().is_none() => {
                since.max(self.reader.progress()).after(HEARING_MAX)
            }
            _ => Tick::MAX,
        }
    }

    /// When the next beat is sent: earlier than usual if a read takes long, to find out whether it
    /// is the read or the engine.
    pub(super) fn beat_deadline(&self) -> Tick {
        let is_beating = self.writer.awaits(|question| matches!(question, Question::Beat(..)));
        if self.step != Step::Up || is_beating || self.beat_at == Tick::MAX {
            return Tick::MAX;
        }
        let Some(since) = self.reader.waits_since() else { return self.beat_at };
        // A beat every 300 ms is enough.
        let pause = BEAT_EVERY.saturating_sub(SLOW_AFTER);
        let last = Tick::from_millis(0).after(self.beat_at.since(Tick::ZERO).saturating_sub(pause));
        self.beat_at.min(since.after(SLOW_AFTER).max(last))
    }
}
