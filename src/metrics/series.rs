//! The names of all series: what a cell is called outside.

use super::exposition::Exposition;
use super::kernel;
use super::{
    ChatMetrics, Counter, HttpMetrics, MemoryMetrics, Metrics, PushMetrics, ReactorMetrics,
    StoreMetrics, TURN_MICROS_BOUNDS, WebhookMetrics,
};

impl Metrics {
    /// The page for Prometheus. `close_reasons` are the labels of
    /// [`ReactorMetrics::closed`](super::ReactorMetrics::closed), in its order.
    ///
    /// The same series in the same order each time, whatever clients do.
    pub fn render(&self, close_reasons: impl Iterator<Item = &'static str>, now_ms: u64) -> String {
        let mut page = Exposition::default();
        let version = [(env!("CARGO_PKG_VERSION"), 1)];
        page.gauges("chinwag_info", "The version that runs.", "version", version.into_iter());
        connections(&self.reactor, close_reasons, &mut page);
        listeners(&mut page);
        bytes(&self.reactor, &mut page);
        turns(&self.reactor, &mut page);
        http(&self.http, &mut page);
        population(&self.chat, &mut page);
        messages(&self.chat, &mut page);
        memory(&self.memory, self.reactor.queued_bytes.value(), &mut page);
        store(&self.store, now_ms, &mut page);
        self.cluster.expose(&mut page);
        webhooks(&self.webhooks, now_ms, &mut page);
        pushes(&self.pushes, &mut page);
        let dropped = crate::log::dropped();
        page.counter(
            "chinwag_log_lines_dropped_total",
            "Log lines that were not written.",
            dropped,
        );
        page.finish()
    }
}

fn connections(
    reactor: &ReactorMetrics,
    close_reasons: impl Iterator<Item = &'static str>,
    page: &mut Exposition,
) {
    page.gauge("chinwag_connections", "Open connections.", reactor.connections.value());
    page.counter(
        "chinwag_connections_accepted_total",
        "Connections accepted and kept.",
        reactor.accepted.value(),
    );
    let refused = [
        ("full", reactor.refused_full.value()),
        ("address", reactor.refused_address.value()),
        ("half_open", reactor.refused_half_open.value()),
        ("banned", reactor.refused_banned.value()),
        ("connects", reactor.refused_connects.value()),
        ("memory", reactor.refused_memory.value()),
        ("proxy", reactor.refused_proxy.value()),
    ];
    page.counters(
        "chinwag_connections_refused_total",
        "Connections refused: the server is full, their address has its share (of those without a hello, \
         too), is banned or connects too fast, slow readers take the memory, or they are no proxy's.",
        "why",
        refused.into_iter(),
    );
    page.counters(
        "chinwag_connections_closed_total",
        "Connections that ended, by reason.",
        "reason",
        close_reasons.zip(reactor.closed.iter().map(Counter::value)),
    );
    page.counter(
        "chinwag_connections_closed_late_total",
        "Connections whose last bytes were not taken within the close deadline.",
        reactor.closed_late.value(),
    );
    page.counter(
        "chinwag_tls_handshakes_total",
        "TLS handshakes that were completed.",
        reactor.handshakes.value(),
    );
    page.counter(
        "chinwag_tls_handshakes_resumed_total",
        "TLS handshakes that resumed an earlier connection.",
        reactor.handshakes_resumed.value(),
    );
    page.gauge("chinwag_tls_handshaking", "TLS handshakes under way.", reactor.handshaking.value());
    page.gauge(
        "chinwag_tls_handshakes_waiting",
        "TLS handshakes that wait for one under way to end.",
        reactor.handshakes_waiting.value(),
    );
    page.counter(
        "chinwag_accept_exhausted_total",
        "Times that accepting had to back off for want of descriptors or memory.",
        reactor.accept_exhausted.value(),
    );
    page.counter(
        "chinwag_accept_lost_total",
        "Connections that were gone before they were accepted.",
        reactor.accept_lost.value(),
    );
}

fn listeners(page: &mut Exposition) {
    page.counter(
        "chinwag_listen_overflows_total",
        "Connections that the kernel dropped at full listeners, of all processes of this machine \
         or container.",
        kernel::listen_overflows(),
    );
}

fn bytes(reactor: &ReactorMetrics, page: &mut Exposition) {
    page.counter("chinwag_received_bytes_total", "Bytes received.", reactor.received_bytes.value());
    page.counter("chinwag_sent_bytes_total", "Bytes sent.", reactor.sent_bytes.value());
    page.counter("chinwag_reads_total", "Read calls.", reactor.reads.value());
    page.counter("chinwag_writes_total", "Write calls.", reactor.writes.value());
    page.counter(
        "chinwag_writes_short_total",
        "Write calls that took less than was offered.",
        reactor.writes_short.value(),
    );
    page.gauge(
        "chinwag_queued_bytes",
        "Bytes that wait for sockets; shared ones count for each.",
        reactor.queued_bytes.value(),
    );
    page.gauge(
        "chinwag_queued_frames",
        "Frames that wait for sockets.",
        reactor.queued_frames.value(),
    );
}

fn turns(reactor: &ReactorMetrics, page: &mut Exposition) {
    page.gauge("chinwag_timers", "Armed timers.", reactor.timers.value());
    page.histogram(
        "chinwag_turn_seconds",
        "Time of a turn of the loop, without its waiting.",
        (&TURN_MICROS_BOUNDS, &reactor.turns_by_micros.each_ref().map(Counter::value)),
        reactor.turn_micros.value(),
    );
    page.gauge(
        "chinwag_turn_longest_microseconds",
        "Time of the longest turn since the start; some 20,000 at the most are aimed at.",
        reactor.turn_micros_max.value(),
    );
}

fn http(http: &HttpMetrics, page: &mut Exposition) {
    page.counters(
        "chinwag_http_responses_total",
        "HTTP responses by the hundreds of their status.",
        "class",
        http.labelled(),
    );
    let handshakes =
        [("accepted", http.handshakes.value()), ("refused", http.handshakes_refused.value())];
    page.counters(
        "chinwag_websocket_handshakes_total",
        "WebSocket handshakes.",
        "outcome",
        handshakes.into_iter(),
    );
    page.counter("chinwag_pings_total", "Pings to silent connections.", http.pings.value());
    page.counter("chinwag_pongs_total", "WebSocket pongs received.", http.pongs.value());
    page.counter(
        "chinwag_messages_deflated_total",
        "WebSocket messages compressed before they were sent.",
        http.messages_deflated.value(),
    );
}

fn population(chat: &ChatMetrics, page: &mut Exposition) {
    page.gauge("chinwag_users", "Users that are known.", chat.users.value());
    page.gauge("chinwag_sessions", "Sessions that have said hello.", chat.sessions.value());
    page.gauge(
        "chinwag_event_streams",
        "Open streams of Server-Sent Events.",
        chat.streams.value(),
    );
    page.gauge(
        "chinwag_rooms",
        "Rooms in memory, direct conversations included.",
        chat.rooms.value(),
    );
    page.gauge(
        "chinwag_rooms_elsewhere",
        "Rooms that are in the store only, until somebody needs them.",
        chat.rooms_elsewhere.value(),
    );
    page.counter(
        "chinwag_rooms_loaded_total",
        "Rooms that were read from the store because somebody needed them.",
        chat.rooms_loaded.value(),
    );
    page.counter(
        "chinwag_rooms_forgotten_total",
        "Rooms that were forgotten in memory because nobody used them.",
        chat.rooms_forgotten.value(),
    );
    page.counter(
        "chinwag_load_waits_total",
        "Requests that had to wait for rooms or users that were not in memory.",
        chat.load_waits.value(),
    );
    page.gauge("chinwag_load_waiting", "Such requests that wait now.", chat.load_waiting.value());
    page.gauge("chinwag_memberships", "Memberships of users in rooms.", chat.memberships.value());
    page.gauge(
        "chinwag_subscriptions",
        "Subscriptions of connections to rooms.",
        chat.subscriptions.value(),
    );
    page.gauge("chinwag_cursors_lagging", "Cursors that are behind.", chat.cursors_lagging.value());
}

fn messages(chat: &ChatMetrics, page: &mut Exposition) {
    page.counter("chinwag_records_total", "Records that a log has taken.", chat.records.value());
    page.counter(
        "chinwag_deliveries_total",
        "Events handed to connections, one for each recipient.",
        chat.deliveries.value(),
    );
    page.counter(
        "chinwag_replayed_total",
        "Records handed to connections in replays.",
        chat.replayed.value(),
    );
    page.counter("chinwag_gaps_total", "Gaps that clients were told of.", chat.gaps.value());
    page.counter(
        "chinwag_presence_events_total",
        "Presence events, one for each room and moment.",
        chat.presence_events.value(),
    );
    page.counter(
        "chinwag_ephemeral_dropped_total",
        "Typing, presence and receipts dropped under pressure.",
        chat.ephemeral_dropped.value(),
    );
    page.counters(
        "chinwag_replies_total",
        "Replies by code; 0 is success.",
        "code",
        chat.replies.labelled(),
    );
}

fn memory(memory: &MemoryMetrics, queued_bytes: u64, page: &mut Exposition) {
    page.gauges(
        "chinwag_memory_bytes",
        "Bytes held, by what they are held for; shared ones count for each.",
        "account",
        memory.labelled().chain([("outbound", queued_bytes)]),
    );
}

fn webhooks(webhooks: &WebhookMetrics, now_ms: u64, page: &mut Exposition) {
    let states = [("live", webhooks.live.value()), ("failing", webhooks.failing.value())];
    page.gauges(
        "chinwag_webhooks",
        "Webhooks to which something is sent, and those of them whose last request failed.",
        "state",
        states.into_iter(),
    );
    let outcomes = [("delivered", webhooks.delivered.value()), ("failed", webhooks.failed.value())];
    page.counters(
        "chinwag_webhook_requests_total",
        "Requests to webhooks.",
        "outcome",
        outcomes.into_iter(),
    );
    page.counter(
        "chinwag_webhook_events_total",
        "Events that webhooks have taken.",
        webhooks.events.value(),
    );
    page.counter(
        "chinwag_webhook_dead_total",
        "Events that were given up, or went since too many waited.",
        webhooks.dead.value(),
    );
    page.gauge(
        "chinwag_webhook_oldest_milliseconds",
        "Age of the oldest event that waits for a webhook.",
        webhooks.oldest_age_ms(now_ms),
    );
}

fn pushes(pushes: &PushMetrics, page: &mut Exposition) {
    let outcomes = [
        ("delivered", pushes.delivered.value()),
        ("failed", pushes.failed.value()),
        ("given_up", pushes.given_up.value()),
        ("lost", pushes.lost.value()),
    ];
    page.counters(
        "chinwag_pushes_total",
        "Pushes to devices: taken by their services, failed at one attempt, and not sent.",
        "outcome",
        outcomes.into_iter(),
    );
    page.counter(
        "chinwag_push_ended_total",
        "Devices that their push services do not know any more, or fail for too long.",
        pushes.ended.value(),
    );
    page.gauge("chinwag_pushes_waiting", "Pushes that wait.", pushes.waiting.value());
}

fn store(store: &StoreMetrics, now_ms: u64, page: &mut Exposition) {
    page.counter(
        "chinwag_store_records_total",
        "Records that were committed to the file.",
        store.records.value(),
    );
    page.histogram(
        "chinwag_store_commit_seconds",
        "Time of a commit, syncing included.",
        (&TURN_MICROS_BOUNDS, &store.commits_by_micros.each_ref().map(Counter::value)),
        store.commit_micros.value(),
    );
    page.counter(
        "chinwag_store_pruned_total",
        "Records removed since they were kept long enough.",
        store.pruned.value(),
    );
    let refused = [("busy", store.busy.value()), ("trouble", store.refused.value())];
    page.counters(
        "chinwag_store_refused_total",
        "Records refused: too many wait, or the disk fails.",
        "why",
        refused.into_iter(),
    );
    page.counter("chinwag_store_reads_total", "Questions to the reader.", store.reads.value());
    page.gauge(
        "chinwag_store_intake",
        "Records that wait for the disk or are under way.",
        store.intake.value(),
    );
    page.counter(
        "chinwag_store_lock_waits_total",
        "Half seconds for which another process had locked the file.",
        store.lock_waits.value(),
    );
    page.gauge(
        "chinwag_store_batch_seconds",
        "For how long the batch under way has been waiting for the disk.",
        store.batch_age_ms(now_ms) / 1_000,
    );
    page.gauge("chinwag_store_trouble", "1 if records cannot be written.", store.trouble.value());
    let checks = [
        ("sound", store.checks_sound.value()),
        ("damaged", store.checks_damaged.value()),
        ("broken_off", store.checks_broken_off.value()),
    ];
    page.counters(
        "chinwag_store_checks_total",
        "Looks at the whole file.",
        "outcome",
        checks.into_iter(),
    );
    let bytes = [("file", store.file_bytes.value()), ("log", store.log_bytes.value())];
    page.gauges("chinwag_store_bytes", "Bytes on the disk.", "part", bytes.into_iter());
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn render(metrics: &Metrics) -> String {
        metrics.render(["bye", "reset"].into_iter(), 0)
    }

    fn is_name(text: &str) -> bool {
        text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    }

    /// The series and their values, from a page that keeps every rule of the format; what does not
    /// is named in the panic.
    #[track_caller]
    fn parse(page: &str) -> BTreeMap<String, f64> {
        let mut series = BTreeMap::new();
        let mut lines = page.strip_suffix('\n').unwrap().split('\n').peekable();
        let mut families = Vec::new();
        while let Some(line) = lines.next() {
            let (family, help) = line.strip_prefix("# HELP ").unwrap().split_once(' ').unwrap();
            assert!(family.starts_with("chinwag_") && is_name(family), "{line}");
            assert!(help.ends_with('.'), "{line}");
            assert!(!families.contains(&family), "twice: {family}");
            families.push(family);
            let kind = lines.next().unwrap();
            let kind = kind.strip_prefix(&format!("# TYPE {family} ")).unwrap();
            assert_eq!(kind == "counter", family.ends_with("_total"), "{line}");
            while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
                let (name, value) = line.rsplit_once(' ').unwrap();
                let (base, labels) = name.split_once('{').unwrap_or((name, "}"));
                let suffix = base.strip_prefix(family).unwrap();
                let suffixes: &[&str] =
                    if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
                assert!(suffixes.contains(&suffix), "{line}");
                let label = labels.strip_suffix('}').unwrap();
                if let Some((label, text)) = label.split_once('=') {
                    assert!(is_name(label) && text.len() > 2, "{line}");
                    assert!(text.starts_with('"') && text.ends_with('"'), "{line}");
                }
                let value = value.parse::<f64>().unwrap();
                assert!(series.insert(name.to_owned(), value).is_none(), "twice: {line}");
            }
        }
        series
    }

    #[test]
    fn the_page_keeps_the_rules_of_the_format() {
        assert!(parse(&render(&Metrics::default())).len() > 90);
    }

    #[test]
    fn the_number_of_series_does_not_depend_on_what_happened() {
        let metrics = Metrics::default();
        let before = parse(&render(&metrics));
        for n in 0..u16::MAX {
            metrics.chat.replies.count(n);
            metrics.http.count_response(n);
            metrics.reactor.count_turn(u64::from(n) * 100);
        }
        let after = parse(&render(&metrics));
        assert!(before.keys().eq(after.keys()));
    }

    #[test]
    fn a_cell_is_found_under_its_name() {
        let metrics = Metrics::default();
        metrics.reactor.closed[1].add(3);
        metrics.reactor.queued_bytes.set(5);
        metrics.reactor.count_turn(75);
        metrics.reactor.count_turn(2_000_000);
        metrics.chat.replies.count(5001);
        metrics.memory.rings.set(9);
        let series = parse(&render(&metrics));
        for (name, value) in [
            ("chinwag_connections_closed_total{reason=\"reset\"}", 3.0),
            ("chinwag_queued_bytes", 5.0),
            ("chinwag_memory_bytes{account=\"outbound\"}", 5.0),
            ("chinwag_memory_bytes{account=\"rings\"}", 9.0),
            ("chinwag_replies_total{code=\"5001\"}", 1.0),
            ("chinwag_turn_seconds_bucket{le=\"0.00005\"}", 0.0),
            ("chinwag_turn_seconds_bucket{le=\"0.0001\"}", 1.0),
            ("chinwag_turn_seconds_bucket{le=\"1\"}", 1.0),
            ("chinwag_turn_seconds_bucket{le=\"+Inf\"}", 2.0),
            ("chinwag_turn_seconds_count", 2.0),
            ("chinwag_turn_seconds_sum", 2.000_075),
        ] {
            assert_eq!(series.get(name), Some(&value), "{name}");
        }
    }
}
