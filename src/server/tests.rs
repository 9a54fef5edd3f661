//! The server without a reactor: what one turn does of what the logs ask for.

use super::*;
use crate::chat::model::log::{LogReply, LogRequest};
use crate::rng::Rng;

/// Logs with answers that nobody has asked for.
#[derive(Debug)]
struct Answers(Arc<std::sync::atomic::AtomicUsize>);

impl Logs for Answers {
    fn request(&mut self, _: Now, _: LogRequest) {}

    fn flush(&mut self) {}

    fn poll(&mut self) -> Option<LogReply> {
        let ordering = std::sync::atomic::Ordering::Relaxed;
        let left = self.0.load(ordering).checked_sub(1)?;
        self.0.store(left, ordering);
        Some(LogReply::Health(Ok(())))
    }
}

#[test]
fn a_turn_takes_up_so_many_answers_of_the_logs_and_the_next_ones_follow_at_once() {
    const COUNT: usize = 2 * REPLIES_MAX + 7;
    let left = Arc::new(std::sync::atomic::AtomicUsize::new(COUNT));
    let now = Now { tick: Tick::from_millis(5), wall_ms: 1_000 };
    let mut server = Server::new(
        &Config::default(),
        vec![ListenerKind::Http],
        (Arc::new(Metrics::default()), Entropy::Seeded(Rng::new(1))),
        now,
        (Box::new(Answers(Arc::clone(&left))), Snapshot::default()),
    )
    .unwrap();
    let mut effects = Effects::new();
    server.handle(now, Input::StoreReady, &mut effects);
    let mut turns = Vec::new();
    // Nothing wakes the loop for what is left, but the alarm that it is given.
    loop {
        server.handle(now, Input::TurnEnd, &mut effects);
        turns.push(left.load(std::sync::atomic::Ordering::Relaxed));
        let alarms = effects.drain(..).filter_map(|effect| match effect {
            Effect::Alarm { deadline } => Some(deadline),
            _ => None,
        });
        if alarms.last().is_none_or(|deadline| deadline > now.tick) {
            break;
        }
        server.handle(now, Input::Alarm, &mut effects);
    }
    assert_eq!(turns, [COUNT - REPLIES_MAX, 7, 0]);
}

#[test]
fn a_stop_leaves_as_much_time_to_the_store_as_its_disk_takes() {
    let millis = Duration::from_millis;
    for (commit, expect) in [(0, 1_000), (100, 1_000), (500, 2_000), (9_000, 2_500)] {
        assert_eq!(time_of_end(millis(5_000), millis(commit)), millis(expect), "{commit}");
    }
}
