//! A client's network: how bytes come and go, and how connections end.

use chinwag::net::ListenerId;
use chinwag::time::Tick;
use std::collections::BTreeMap;
use std::time::Duration;

use super::{Behaviour, Client, ClientState, Connection, Context, NetworkState};
use crate::codec::{Codec, Kind, Received};
use crate::history::Check;
use crate::link::Link;

/// When a client tries another node, behind one that is down.
const ANOTHER_NODE: Duration = Duration::from_millis(500);

impl Client {
    /// Does everything that the client does in one step.
    pub(crate) fn step(&mut self, context: &mut Context<'_>) -> Check {
        match std::mem::replace(&mut self.state, ClientState::Offline { until: Tick::MAX }) {
            ClientState::Offline { until } => {
                let comes = until <= context.now && self.behaviour != Behaviour::Leaving;
                self.state =
                    if comes { self.connect(context) } else { ClientState::Offline { until } };
                Ok(())
            }
            ClientState::Online(mut conn) => {
                let goes_on = self.converse(&mut conn, context)?;
                if goes_on {
                    self.state = ClientState::Online(conn);
                } else {
                    self.part(*conn, context);
                }
                Ok(())
            }
        }
    }

    /// A client that found no listener tries again.
    pub(crate) fn may_come_back(&mut self, at: Tick) {
        self.farewell = (None, None);
        if let ClientState::Offline { until } = &mut self.state {
            *until = at.min(*until);
        }
    }

    fn connect(&mut self, context: &mut Context<'_>) -> ClientState {
        let listener = match self.kind {
            Kind::Ws | Kind::Deflate | Kind::Events => ListenerId(0),
            Kind::Lines | Kind::Lengths | Kind::Text => ListenerId(1),
        };
        let link = context.links.len();
        let nodes = context.reactors.len();
        let node = if nodes == 1 { 0 } else { self.rng.index(nodes) };
        if !context.reactors[node].connect(link) {
            // Where there are others it tries another one soon.
            let soon = context.now.after(ANOTHER_NODE);
            return ClientState::Offline { until: if nodes == 1 { Tick::MAX } else { soon } };
        }
        for older in context.links.iter_mut().filter(|older| older.story.client == self.id) {
            older.story.replaced = true;
        }
        let down_max = context.plan.down_max;
        context.links.push(Link { node, ..Link::new(self.id, listener, down_max, context.now) });
        let (codec, out) = Codec::new(self.kind, &mut self.rng);
        ClientState::Online(Box::new(Connection {
            link,
            codec,
            network: NetworkState::Flowing,
            out,
            said_hello: false,
            greeted: false,
            closing: false,
            hostile: false,
            next_id: 0,
            pending: BTreeMap::new(),
            errors_due: 0,
            views: BTreeMap::new(),
            streamed: Vec::new(),
            rev: 0,
            inbox: Vec::new(),
            away: false,
            drain: None,
            told: None,
            acked: BTreeMap::new(),
            own: BTreeMap::new(),
            called: None,
            profiles: BTreeMap::new(),
        }))
    }

    /// One step of a connection. `false` if it is over.
    fn converse(&mut self, conn: &mut Connection, context: &mut Context<'_>) -> Check<bool> {
        self.update_network(conn, context);
        self.listen(conn, context)?;
        if conn.codec.is_open() && !conn.said_hello && !conn.closing {
            match self.kind {
                Kind::Text => conn.said_hello = true,
                Kind::Events => self.ask_for_stream(conn, context),
                Kind::Ws | Kind::Deflate | Kind::Lines | Kind::Lengths => {
                    self.hello(conn, context);
                }
            }
        }
        if !conn.closing && !conn.hostile {
            self.act(conn, context);
        }
        if conn.hostile && (self.behaviour != Behaviour::Normal || self.rng.once_in(50)) {
            context.links[conn.link].reset();
        }
        let most = self.bytes_to_move(conn);
        let link = &mut context.links[conn.link];
        link.send(&mut conn.out, most);
        if conn.closing && conn.out.is_empty() && !link.up_fin {
            link.finish();
        }
        let over = link.down_reset || (link.down_fin && link.down.is_empty());
        if over {
            link.up_fin = true;
        }
        Ok(!over && !link.up_reset && conn.network != GONE)
    }

    /// Takes bytes, as many as the mood is for, and hears what they say.
    fn listen(&mut self, conn: &mut Connection, context: &mut Context<'_>) -> Check {
        let most = if matches!(conn.network, NetworkState::Stalled { .. }) {
            0
        } else {
            self.bytes_to_move(conn)
        };
        let mut bytes = context.links[conn.link].take(most, context.now);
        if bytes.is_empty() {
            return Ok(());
        }
        let mut heard = Vec::new();
        let cut = self.rng.index(bytes.len() + 1);
        let (head, tail) = bytes.split_at_mut(cut);
        for part in [head, tail] {
            let decoded = conn.codec.decode(part, context.scratch, &mut heard);
            let story = &context.links[conn.link].story;
            let waited = context.now.since(story.opened) >= context.plan.config.timeouts.head;
            if decoded.is_err() && !conn.codec.is_open() && waited {
                // The clock has jumped while the head was under way: 408.
                conn.hostile = true;
            }
            if !conn.hostile {
                decoded?;
            }
        }
        let mut texts = Vec::new();
        for heard in heard {
            context.trace.on_received(self.id, &heard);
            match heard {
                Received::Switched => {}
                Received::Text(text) => {
                    context.tamper.pass(self.id, text, &mut texts);
                    for text in texts.drain(..) {
                        self.on_text(conn, context, &text)?;
                    }
                }
                Received::Head(status) => self.on_stream_head(conn, context, status)?,
                Received::Event(id, data) => {
                    context.tamper.pass(self.id, data, &mut texts);
                    for text in texts.drain(..) {
                        self.on_stream_event(conn, context, (&id, &text))?;
                    }
                }
                Received::Ping(payload) => {
                    Codec::encode_pong(&payload, &mut self.rng, &mut conn.out);
                }
                Received::Close(code) => {
                    conn.told = code;
                    self.say_bye(conn, context);
                }
            }
        }
        Ok(())
    }

    /// Says goodbye in the way of the protocol; FIN follows.
    pub(super) fn say_bye(&mut self, conn: &mut Connection, context: &mut Context<'_>) {
        if !conn.closing {
            conn.closing = true;
            conn.codec.encode_bye(&mut self.rng, &mut conn.out);
            context.links[conn.link].story.said_bye = true;
        }
    }

    fn bytes_to_move(&mut self, conn: &Connection) -> usize {
        match conn.network {
            NetworkState::Flowing if self.rng.once_in(6) => 1 + self.rng.index(400),
            NetworkState::Flowing | NetworkState::Stalled { .. } => usize::MAX,
            NetworkState::Crawling { .. } => 1 + self.rng.index(96),
        }
    }

    /// Lets bad times begin and end.
    fn update_network(&mut self, conn: &mut Connection, context: &mut Context<'_>) {
        let story = &mut context.links[conn.link].story;
        if self.behaviour != Behaviour::Normal {
            conn.network = NetworkState::Flowing;
            return;
        }
        match conn.network {
            NetworkState::Stalled { until } | NetworkState::Crawling { until }
                if until <= context.now =>
            {
                conn.network = NetworkState::Flowing;
            }
            NetworkState::Stalled { .. } | NetworkState::Crawling { .. } => {
                story.dull_until = context.now;
            }
            NetworkState::Flowing if self.rng.once_in(context.plan.trouble) => {
                let span = *self.rng.pick(&[300, 2_000, 8_000, 30_000, 150_000]);
                let until = context.now.after(Duration::from_millis(1 + self.rng.below(span)));
                let stalls = self.rng.once_in(2);
                conn.network = if stalls {
                    NetworkState::Stalled { until }
                } else {
                    NetworkState::Crawling { until }
                };
            }
            NetworkState::Flowing if self.rng.once_in(context.plan.trouble * 2) => {
                self.vanish(conn, context);
            }
            NetworkState::Flowing => {}
        }
    }

    /// Goes, in one way or another.
    fn vanish(&mut self, conn: &mut Connection, context: &mut Context<'_>) {
        match self.rng.below(4) {
            0 => context.links[conn.link].reset(),
            1 => self.say_bye(conn, context),
            2 => {
                context.links[conn.link].story.dull_until = Tick::MAX;
                conn.network = GONE;
            }
            _ => {
                // The last request may be cut in two.
                conn.hostile = true;
                conn.closing = true;
                conn.out.clear();
            }
        }
    }

    /// The connection is over: what it has brought is kept for the next one.
    fn part(&mut self, conn: Connection, context: &mut Context<'_>) {
        self.farewell = (conn.drain, conn.told);
        for (room, view) in conn.views {
            let epoch = context.history.epoch(view.log).to_owned();
            self.positions.insert(room, (epoch, view.next - 1));
        }
        // Without a `cid` nobody can know whether it was said.
        self.outbox.retain(|draft| draft.cid.is_some() || !draft.sent);
        for draft in &mut self.outbox {
            draft.sent = false;
        }
        let wait = if self.behaviour == Behaviour::Quiet {
            500
        } else {
            *self.rng.pick(&[300, 3_000, 40_000])
        };
        let until = context.now.after(Duration::from_millis(1 + self.rng.below(wait)));
        self.state = ClientState::Offline { until };
    }
}

/// The mood of a client that has gone without a word.
const GONE: NetworkState = NetworkState::Stalled { until: Tick::MAX };
