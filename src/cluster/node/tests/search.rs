//! Searches in what is not in the index.

use super::peer::{Database, Peer};
use crate::chat::model::log::{Answer, LogId, LogReply, LogRequest, Query, Ticket};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::policy::Retention;
use crate::chat::model::record::Epoch;
use crate::chat::model::reply::Durability;

fn log() -> LogId {
    LogId::new(1, 1)
}

/// All seqs that are found, page by page.
fn search(peer: &mut Peer, text: &str) -> Vec<u64> {
    let (mut seqs, mut before) = (Vec::new(), None);
    loop {
        let user = UserName::parse("ann").unwrap();
        let query = Query::Search { user, logs: vec![log()], text: text.into(), before, limit: 50 };
        peer.ask(LogRequest::Read { ticket: Ticket(8), query });
        let outcome = loop {
            if let LogReply::Answer { outcome, .. } = peer.reply() {
                break outcome;
            }
        };
        let Ok(Answer::Found { items, next }) = outcome else { panic!("{outcome:?}") };
        seqs.extend(items.iter().map(|(_, record)| record.seq));
        if next.is_none() {
            return seqs;
        }
        before = next;
    }
}

#[test]
fn a_search_in_more_than_an_answer_may_have_is_answered_by_pages() {
    let Some(database) = Database::new() else { return };
    // Nobody is the keeper, so that nothing is indexed meanwhile.
    let mut keeper = database.session();
    keeper.run("SELECT pg_advisory_lock(7163384699739271427)");
    // 48 MiB: half of it in blocks that were changed, half of it above the index.
    database.run(&[
        "INSERT INTO chinwag.room (name, epoch, head, at) VALUES ('lobby', 5, 3072, 1800000003072)",
        "INSERT INTO chinwag.record (room, seq, at, weight, kind, sender, text, data) \
         SELECT r.id, n, 1800000000000 + n, 16600, 0, 'ann', \
         CASE WHEN n % 64 = 5 THEN 'needle' ELSE 'hay' END, '\"' || repeat('x', 16370) || '\"' \
         FROM chinwag.room r, generate_series(1, 3072) AS n",
        "INSERT INTO chinwag.search SELECT id, 2048, 1 FROM chinwag.room",
        "INSERT INTO chinwag.word SELECT r.id, n, 1800000000001 + n * 64, 1800000000064 + n * 64, \
         NULL FROM chinwag.room r, generate_series(0, 31) AS n",
    ]);
    let mut peer = Peer::new(&database.address, 1);
    peer.ask(LogRequest::Open {
        log: log(),
        room: RoomName::parse("lobby").unwrap(),
        epoch: Epoch(5),
        durability: Durability::Disk,
        retention: Retention::default(),
        kept: None,
    });
    peer.ask(LogRequest::Sync { log: log(), ticket: Ticket(9) });
    while !matches!(peer.reply(), LogReply::Synced { .. }) {}
    let all: Vec<u64> = (0..48).rev().map(|block| block * 64 + 5).collect();
    assert_eq!(search(&mut peer, "needle "), all);
}
