//! What is asked about webhooks, and what has become of what was sent, until the engine has it.

use crate::chat::model::columns::signed;
use crate::chat::model::outbox::{Position, StoredWebhook, UnwrittenUpdates, Update};
use crate::chat::model::webhook::Interest;
use crate::pg::{Param, Statement};
use crate::time::Tick;

/// Writes it, if it is still this node's turn: whether it is.
pub(super) const SENT: Statement = Statement {
    name: "sent",
    sql: "SELECT chinwag.sent_1($1::bigint, $2::bigint, $3::text[], $4::bigint[], $5::bigint[], \
          $6::bigint[], $7::bigint[], $8::bigint[], $9::text[], $10::bigint[], $11::bigint[], \
          $12::text[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::text[])",
};

/// What was asked about webhooks.
#[derive(Debug)]
pub(super) enum OutboxOp {
    /// Whose turn it is; when that was asked.
    Turn(Tick),
    Webhooks,
    Letters(Vec<StoredWebhook>),
    Order,
    Entries {
        ticket: u64,
        interest: Interest,
        from: Position,
        events_max: usize,
    },
    Sent(UnwrittenUpdates),
    Release,
}

/// Calls `ask` with the parameters of [`SENT`].
pub(super) fn with_params<T>(
    sent: &UnwrittenUpdates,
    (node, turn): (i64, i64),
    ask: impl FnOnce(&[Param<'_>]) -> T,
) -> T {
    let place = |position: &Position| Some(signed(position.record));
    let (mut names, mut endeds) = (Vec::new(), Vec::new());
    let mut progress: [Vec<Option<i64>>; 5] = Default::default();
    for update in sent.progress() {
        let Update::Progress { webhook, position, batch_end, attempts, next_at, ended } = update
        else {
            continue;
        };
        names.push(Some(&*webhook.0));
        endeds.push(ended.as_deref());
        let batch_end = batch_end.as_ref().and_then(place);
        let numbers = [
            Some(signed(webhook.1)),
            place(position),
            batch_end,
            Some(i64::from(*attempts)),
            Some(signed(*next_at)),
        ];
        progress.iter_mut().zip(numbers).for_each(|(column, number)| column.push(number));
    }
    let (mut webhooks, mut whys) = (Vec::new(), Vec::new());
    let mut letters: [Vec<Option<i64>>; 6] = Default::default();
    for update in sent.letters() {
        let (act, id, letter, why) = match update {
            Update::Dead(letter) => (0, 0, Some(letter), Some(&*letter.why)),
            Update::Delivered(id) => (1, *id, None, None),
            Update::StillDead(id, why) => (2, *id, None, Some(&**why)),
            Update::Progress { .. } => continue,
        };
        webhooks.push(letter.map(|letter| &*letter.webhook));
        whys.push(why);
        let numbers = [
            Some(act),
            Some(signed(id)),
            letter.map(|letter| signed(letter.at)),
            letter.and_then(|letter| place(&letter.from)),
            letter.and_then(|letter| place(&letter.to)),
            letter.map(|letter| signed(letter.events)),
        ];
        letters.iter_mut().zip(numbers).for_each(|(column, number)| column.push(number));
    }
    let ([ats, places, to_places, attempts, next_ats], [acts, ids, at, lows, highs, events]) =
        (&progress, &letters);
    ask(&[
        Param::Int(node),
        Param::Int(turn),
        Param::Texts(&names),
        Param::Ints(ats),
        Param::Ints(places),
        Param::Ints(to_places),
        Param::Ints(attempts),
        Param::Ints(next_ats),
        Param::Texts(&endeds),
        Param::Ints(acts),
        Param::Ints(ids),
        Param::Texts(&webhooks),
        Param::Ints(at),
        Param::Ints(lows),
        Param::Ints(highs),
        Param::Ints(events),
        Param::Texts(&whys),
    ])
}
