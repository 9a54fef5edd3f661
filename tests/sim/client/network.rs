//! A client's network: how bytes come and go, and how connections end.

use chinwag::net::ListenerId;
use chinwag::time::Tick;
use std::collections::BTreeMap;
use std::time::Duration;

use super::{Around, Client, Life, Manners, Mood, Talk};
use crate::codec::{Codec, Heard, Kind};
use crate::hist::Check;
use crate::link::Link;

impl Client {
    /// Does everything that the client does in one step.
    pub(crate) fn step(&mut self, around: &mut Around<'_>) -> Check {
        match std::mem::replace(&mut self.life, Life::Away { until: Tick::MAX }) {
            Life::Away { until } => {
                let comes = until <= around.now && self.manners != Manners::Leaving;
                self.life = if comes { self.connect(around) } else { Life::Away { until } };
                Ok(())
            }
            Life::On(mut talk) => {
                let goes_on = self.converse(&mut talk, around)?;
                if goes_on {
                    self.life = Life::On(talk);
                } else {
                    self.part(*talk, around);
                }
                Ok(())
            }
        }
    }

    /// Whoever found nobody listening tries again.
    pub(crate) fn may_come_back(&mut self, at: Tick) {
        self.farewell = (None, None);
        if let Life::Away { until } = &mut self.life {
            *until = at.min(*until);
        }
    }

    fn connect(&mut self, around: &mut Around<'_>) -> Life {
        let listener = match self.kind {
            Kind::Ws | Kind::Deflate => ListenerId(0),
            Kind::Lines | Kind::Lengths | Kind::Person => ListenerId(1),
        };
        let link = around.links.len();
        if !around.reactor.connect(link) {
            return Life::Away { until: Tick::MAX };
        }
        for older in around.links.iter_mut().filter(|older| older.story.client == self.id) {
            older.story.replaced = true;
        }
        let down_max = around.plan.down_max;
        around.links.push(Link::new(self.id, listener, down_max, around.now));
        let (codec, out) = Codec::new(self.kind, &mut self.rng);
        Life::On(Box::new(Talk {
            link,
            codec,
            mood: Mood::Lively,
            out,
            said_hello: false,
            greeted: false,
            closing: false,
            hostile: false,
            next_id: 0,
            asked: BTreeMap::new(),
            errors_due: 0,
            views: BTreeMap::new(),
            rev: 0,
            inbox: Vec::new(),
            away: false,
            drain: None,
            told: None,
            acked: BTreeMap::new(),
        }))
    }

    /// One step of a connection. `false` if it is over.
    fn converse(&mut self, talk: &mut Talk, around: &mut Around<'_>) -> Check<bool> {
        self.settle_mood(talk, around);
        self.listen(talk, around)?;
        if talk.codec.is_open() && !talk.said_hello && !talk.closing {
            if self.kind == Kind::Person {
                talk.said_hello = true;
            } else {
                self.hello(talk, around);
            }
        }
        if !talk.closing && !talk.hostile {
            self.act(talk, around);
        }
        if talk.hostile && (self.manners != Manners::Wild || self.rng.once_in(50)) {
            around.links[talk.link].reset();
        }
        let most = self.bytes_to_move(talk);
        let link = &mut around.links[talk.link];
        link.send(&mut talk.out, most);
        if talk.closing && talk.out.is_empty() && !link.up_fin {
            link.finish();
        }
        let over = link.down_reset || (link.down_fin && link.down.is_empty());
        if over {
            link.up_fin = true;
        }
        Ok(!over && !link.up_reset && talk.mood != GONE)
    }

    /// Takes bytes, as many as the mood is for, and hears what they say.
    fn listen(&mut self, talk: &mut Talk, around: &mut Around<'_>) -> Check {
        let most =
            if matches!(talk.mood, Mood::Stalled { .. }) { 0 } else { self.bytes_to_move(talk) };
        let mut bytes = around.links[talk.link].take(most, around.now);
        if bytes.is_empty() {
            return Ok(());
        }
        let mut heard = Vec::new();
        let cut = self.rng.index(bytes.len() + 1);
        let (head, tail) = bytes.split_at_mut(cut);
        for part in [head, tail] {
            let decoded = talk.codec.decode(part, around.scratch, &mut heard);
            let story = &around.links[talk.link].story;
            let waited = around.now.since(story.opened) >= around.plan.config.timeouts.head;
            if decoded.is_err() && !talk.codec.is_open() && waited {
                // The clock has jumped while the head was under way: 408.
                talk.hostile = true;
            }
            if !talk.hostile {
                decoded?;
            }
        }
        let mut texts = Vec::new();
        for heard in heard {
            around.trace.heard(self.id, &heard);
            match heard {
                Heard::Switched => {}
                Heard::Text(text) => {
                    around.tamper.pass(self.id, text, &mut texts);
                    for text in texts.drain(..) {
                        self.hear(talk, around, &text)?;
                    }
                }
                Heard::Ping(payload) => {
                    Codec::encode_pong(&payload, &mut self.rng, &mut talk.out);
                }
                Heard::Close(code) => {
                    talk.told = code;
                    self.say_bye(talk, around);
                }
            }
        }
        Ok(())
    }

    /// Says goodbye in the way of the protocol; FIN follows.
    pub(super) fn say_bye(&mut self, talk: &mut Talk, around: &mut Around<'_>) {
        if !talk.closing {
            talk.closing = true;
            talk.codec.encode_bye(&mut self.rng, &mut talk.out);
            around.links[talk.link].story.said_bye = true;
        }
    }

    fn bytes_to_move(&mut self, talk: &Talk) -> usize {
        match talk.mood {
            Mood::Lively if self.rng.once_in(6) => 1 + self.rng.index(400),
            Mood::Lively | Mood::Stalled { .. } => usize::MAX,
            Mood::Crawling { .. } => 1 + self.rng.index(96),
        }
    }

    /// Lets bad times begin and end.
    fn settle_mood(&mut self, talk: &mut Talk, around: &mut Around<'_>) {
        let story = &mut around.links[talk.link].story;
        if self.manners != Manners::Wild {
            talk.mood = Mood::Lively;
            return;
        }
        match talk.mood {
            Mood::Stalled { until } | Mood::Crawling { until } if until <= around.now => {
                talk.mood = Mood::Lively;
            }
            Mood::Stalled { .. } | Mood::Crawling { .. } => story.dull_until = around.now,
            Mood::Lively if self.rng.once_in(around.plan.trouble) => {
                let span = *self.rng.pick(&[300, 2_000, 8_000, 30_000, 150_000]);
                let until = around.now.after(Duration::from_millis(1 + self.rng.below(span)));
                let stalls = self.rng.once_in(2);
                talk.mood = if stalls { Mood::Stalled { until } } else { Mood::Crawling { until } };
            }
            Mood::Lively if self.rng.once_in(around.plan.trouble * 2) => self.vanish(talk, around),
            Mood::Lively => {}
        }
    }

    /// Goes, in one way or another.
    fn vanish(&mut self, talk: &mut Talk, around: &mut Around<'_>) {
        match self.rng.below(4) {
            0 => around.links[talk.link].reset(),
            1 => self.say_bye(talk, around),
            2 => {
                around.links[talk.link].story.dull_until = Tick::MAX;
                talk.mood = GONE;
            }
            _ => {
                // The last request may be cut in two.
                talk.hostile = true;
                talk.closing = true;
                talk.out.clear();
            }
        }
    }

    /// The connection is over: what it has brought is kept for the next one.
    fn part(&mut self, talk: Talk, around: &mut Around<'_>) {
        self.farewell = (talk.drain, talk.told);
        for (room, view) in talk.views {
            let epoch = around.hist.epoch(view.log).to_owned();
            self.positions.insert(room, (epoch, view.next - 1));
        }
        // Without a `cid` nobody can know whether it was said.
        self.outbox.retain(|draft| draft.cid.is_some() || !draft.sent);
        for draft in &mut self.outbox {
            draft.sent = false;
        }
        let wait =
            if self.manners == Manners::Calm { 500 } else { *self.rng.pick(&[300, 3_000, 40_000]) };
        let until = around.now.after(Duration::from_millis(1 + self.rng.below(wait)));
        self.life = Life::Away { until };
    }
}

/// The mood of a client that has gone without a word.
const GONE: Mood = Mood::Stalled { until: Tick::MAX };
