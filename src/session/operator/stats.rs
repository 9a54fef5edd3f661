//! How the server is, as the admin API tells it.

use crate::admin::{READYZ, health, responses};
use crate::metrics::{Counter, TURN_MICROS_BOUNDS};
use crate::net::CloseReason;
use crate::session::context::SessionContext;
use crate::time::clock::Now;

/// The numbers, of which those of the domain were brought up to date.
pub(super) fn stats(context: &SessionContext, now: Now) -> responses::Stats {
    let metrics = &context.metrics;
    let (reactor, chat, store) = (&metrics.reactor, &metrics.chat, &metrics.store);
    let refused = [
        &reactor.refused_full,
        &reactor.refused_address,
        &reactor.refused_half_open,
        &reactor.refused_banned,
        &reactor.refused_connects,
        &reactor.refused_memory,
        &reactor.refused_proxy,
    ];
    let not_ready = health(READYZ, metrics, (&context.health, now.tick));
    let closes = CloseReason::ALL.iter().zip(&reactor.closed);
    responses::Stats {
        version: env!("CARGO_PKG_VERSION"),
        ready: not_ready.unwrap_or_else(|| "ok".to_owned()),
        time: now.wall_ms,
        uptime_ms: now.tick.as_millis(),
        connections: reactor.connections.value(),
        accepted: reactor.accepted.value(),
        refused: refused.iter().map(|counter| counter.value()).sum(),
        sessions: chat.sessions.value(),
        users: chat.users.value(),
        rooms: chat.rooms.value(),
        memberships: chat.memberships.value(),
        subscriptions: chat.subscriptions.value(),
        lagging: chat.cursors_lagging.value(),
        records: chat.records.value(),
        deliveries: chat.deliveries.value(),
        replayed: chat.replayed.value(),
        gaps: chat.gaps.value(),
        received_bytes: reactor.received_bytes.value(),
        sent_bytes: reactor.sent_bytes.value(),
        queued_bytes: reactor.queued_bytes.value(),
        turns: histogram(&reactor.turns_by_micros, &reactor.turn_micros),
        commits: histogram(&store.commits_by_micros, &store.commit_micros),
        store_waiting: store.intake.value(),
        store_bytes: store.file_bytes.value(),
        closes: closes
            .map(|(reason, counter)| responses::CloseCount {
                reason: reason.label(),
                count: counter.value(),
            })
            .collect(),
        memory: metrics
            .memory
            .labelled()
            .map(|(account, bytes)| responses::MemoryAccount { account, bytes })
            .collect(),
    }
}

fn histogram(counts: &[Counter], sum: &Counter) -> responses::Histogram {
    responses::Histogram {
        bounds_us: TURN_MICROS_BOUNDS.to_vec(),
        counts: counts.iter().map(Counter::value).collect(),
        sum_us: sum.value(),
    }
}
