//! Sessions over several nodes and one engine.

use super::peer::{Database, Peer};
use crate::chat::model::load::Wanted;
use crate::chat::model::log::{Answer, LogFault, LogReply, LogRequest, Query, Ticket};
use crate::chat::model::name::UserName;
use crate::chat::model::sessions::{
    Claimed, FormerSession, SessionChange, SessionClaim, SessionSecret,
};
use crate::net::ConnId;

/// The session of secret `secret`, on the connection of the same number.
fn claim(secret: u128, former: Option<u128>, user: &str) -> SessionClaim {
    let number = u64::try_from(secret).unwrap();
    SessionClaim {
        secret: SessionSecret(secret),
        former: former.map(SessionSecret),
        user: UserName::parse(user).unwrap(),
        is_guest: user.starts_with("guest-"),
        conn: ConnId::new(3, number).unwrap(),
    }
}

fn ask(peer: &mut Peer, claim: SessionClaim) {
    peer.ask(LogRequest::Claim(Ticket(7), claim));
}

#[track_caller]
fn answer(peer: &mut Peer) -> Result<Claimed, LogFault> {
    loop {
        match peer.reply() {
            LogReply::Claimed(Ticket(7), outcome) => return outcome,
            // It may be said again until the engine has that it was said.
            LogReply::NodeGone { .. } | LogReply::Replaced(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[track_caller]
fn claimed(peer: &mut Peer, claim: SessionClaim) -> Claimed {
    ask(peer, claim);
    answer(peer).unwrap()
}

#[track_caller]
fn replaced(peer: &mut Peer) -> ConnId {
    loop {
        match peer.reply() {
            LogReply::Replaced(conn) => return conn,
            LogReply::NodeGone { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Whose these are, as one that comes is told.
fn find(peer: &mut Peer, secrets: &[u128]) -> Vec<Option<FormerSession>> {
    let secrets = secrets.iter().copied().map(SessionSecret);
    let wanted = Wanted { sessions: secrets.clone().collect(), ..Wanted::default() };
    let query = Query::Load(Box::new(wanted));
    peer.ask(LogRequest::Read { ticket: Ticket(8), query });
    loop {
        if let LogReply::Answer { outcome, .. } = peer.reply() {
            let Ok(Answer::Loaded(found)) = outcome else { panic!("{outcome:?}") };
            return secrets.map(|secret| found.sessions.get(&secret).cloned()).collect();
        }
    }
}

const RESUMED: Claimed = Claimed::Resumed { away: false };

#[test]
fn a_session_is_found_and_goes_on_at_another_node_and_the_first_is_told() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = [1, 2].map(|seed| Peer::new(&database.address, seed));
    assert_eq!(claimed(&mut one, claim(1, None, "ann")), Claimed::New);
    let ann = FormerSession { user: UserName::parse("ann").unwrap(), is_guest: false };
    assert_eq!(find(&mut two, &[1, 2]), [Some(ann), None]);
    assert_eq!(claimed(&mut two, claim(2, Some(1), "ann")), RESUMED);
    assert_eq!(replaced(&mut one), ConnId::new(3, 1).unwrap());
    use_session(&mut two, 2);
    // What the first one says of it from now on changes nothing.
    one.ask(LogRequest::Session(SessionChange::End(SessionSecret(1))));
    assert_eq!(claimed(&mut one, claim(3, Some(1), "ann")), Claimed::New);
    // At the same node nobody has to be told.
    assert_eq!(claimed(&mut two, claim(4, Some(2), "ann")), RESUMED);
    use_session(&mut two, 4);
    assert_eq!(find(&mut one, &[1, 2, 4]).iter().filter(|found| found.is_some()).count(), 1);
}

/// The client of this session asks for something.
fn use_session(peer: &mut Peer, secret: u128) {
    settle(peer, SessionChange::Used(SessionSecret(secret)));
}

/// Something has become of a session, and is written.
fn settle(peer: &mut Peer, change: SessionChange) {
    peer.ask(LogRequest::Session(change));
    while !peer.node().is_settled() {
        peer.turn();
    }
}

#[test]
fn the_secret_that_a_session_goes_on_from_is_good_at_every_node_until_the_new_one_is_used() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = [1, 2].map(|seed| Peer::new(&database.address, seed));
    let guest = |secret, former| claim(secret, former, "guest-ann");
    assert_eq!(claimed(&mut one, guest(1, None)), Claimed::New);
    let ann = FormerSession { user: UserName::parse("guest-ann").unwrap(), is_guest: true };
    // None of these is used: at another node, at the same one, ended and live.
    assert_eq!(claimed(&mut two, guest(2, Some(1))), RESUMED);
    assert_eq!(replaced(&mut one), ConnId::new(3, 1).unwrap());
    assert_eq!(find(&mut one, &[1, 2]), [Some(ann.clone()), Some(ann.clone())]);
    two.ask(LogRequest::Session(SessionChange::End(SessionSecret(2))));
    assert_eq!(claimed(&mut two, guest(3, Some(1))), RESUMED);
    assert_eq!(claimed(&mut two, guest(4, Some(1))), RESUMED);
    assert_eq!(replaced(&mut two), ConnId::new(3, 3).unwrap(), "its connection may be there");
    assert_eq!(claimed(&mut one, guest(5, Some(1))), RESUMED);
    assert_eq!(replaced(&mut two), ConnId::new(3, 4).unwrap());
    assert_eq!(find(&mut one, &[1, 2, 3, 4, 5]), [Some(ann.clone()), None, None, None, Some(ann)]);
    let live = "SELECT count(*) FROM chinwag.session WHERE ended IS NULL";
    assert_eq!(database.number(live), 1);
}

#[test]
fn the_secret_of_before_is_spent_by_coming_with_the_new_one_and_by_its_use() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = [1, 2].map(|seed| Peer::new(&database.address, seed));
    let guest = |secret, former| claim(secret, former, "guest-ann");
    assert_eq!(claimed(&mut one, guest(1, None)), Claimed::New);
    assert_eq!(claimed(&mut one, guest(2, Some(1))), RESUMED);
    assert_eq!(claimed(&mut two, guest(3, Some(2))), RESUMED);
    assert_eq!(find(&mut one, &[1]), [None]);
    use_session(&mut two, 3);
    assert_eq!(find(&mut one, &[2]), [None]);
    assert_eq!(claimed(&mut one, guest(4, Some(2))), Claimed::Taken);
}

#[test]
fn a_node_that_hears_nothing_learns_all_the_same_that_a_session_goes_on_elsewhere() {
    let Some(database) = Database::new() else { return };
    let mut one = Peer::new(&database.address, 1);
    assert_eq!(claimed(&mut one, claim(1, None, "ann")), Claimed::New);
    let hash = super::super::session_ops::hash_of(SessionSecret(1));
    database.run(&[&format!(
        "UPDATE chinwag.session SET taken = true, ended = 1 WHERE hash = '{hash}'"
    )]);
    assert_eq!(replaced(&mut one), ConnId::new(3, 1).unwrap());
}

/// A node is thought to be gone: its sessions count as ended. It does not notice yet.
fn lose(database: &Database, lost: &Peer, other: &mut Peer) {
    let node = lost.node().id().unwrap().0;
    database.run(&[&format!("DELETE FROM chinwag.node WHERE id = {node}")]);
    other.sweep_sessions();
}

/// It beats, and has another number.
fn return_again(peer: &mut Peer) {
    let former = peer.node().id();
    while peer.node().id() == former || !peer.node().is_settled() {
        peer.turn();
    }
}

#[test]
fn the_sessions_of_a_node_that_was_thought_to_be_gone_are_live_when_it_is_back() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = [1, 2].map(|seed| Peer::new(&database.address, seed));
    assert_eq!(claimed(&mut one, claim(1, None, "guest-ann")), Claimed::New);
    assert_eq!(claimed(&mut one, claim(2, None, "bob")), Claimed::New);
    lose(&database, &one, &mut two);
    let live = "SELECT count(*) FROM chinwag.session WHERE ended IS NULL";
    assert_eq!(database.number(live), 0);
    // This one does end meanwhile.
    one.ask(LogRequest::Session(SessionChange::End(SessionSecret(2))));
    return_again(&mut one);
    assert_eq!(database.number(live), 1);
    two.sweep_sessions();
    assert_eq!(database.number(live), 1, "it is of a node that is there");
    assert_eq!(claimed(&mut two, claim(3, Some(1), "guest-ann")), RESUMED);
    assert_eq!(replaced(&mut one), ConnId::new(3, 1).unwrap());
}

#[test]
fn a_session_that_went_on_while_its_node_was_thought_to_be_gone_is_closed_there() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = [1, 2].map(|seed| Peer::new(&database.address, seed));
    assert_eq!(claimed(&mut one, claim(1, None, "ann")), Claimed::New);
    lose(&database, &one, &mut two);
    assert_eq!(claimed(&mut two, claim(2, Some(1), "ann")), RESUMED);
    return_again(&mut one);
    assert_eq!(replaced(&mut one), ConnId::new(3, 1).unwrap());
    assert_eq!(claimed(&mut one, claim(3, Some(2), "ann")), RESUMED, "the other one is live");
}

#[test]
fn of_two_nodes_that_are_shown_one_secret_at_once_the_later_one_has_the_session() {
    let Some(database) = Database::new() else { return };
    let [mut first, one, two] = [1, 2, 3].map(|seed| Peer::new(&database.address, seed));
    let mut nodes = [one, two];
    for round in 0..20_u128 {
        let [old, a, b] = [1, 2, 3].map(|nth| round * 3 + nth);
        assert_eq!(claimed(&mut first, claim(old, None, "ann")), Claimed::New);
        settle(&mut first, SessionChange::End(SessionSecret(old)));
        let claims = [a, b].map(|secret| claim(secret, Some(old), "ann"));
        for (node, claim) in nodes.iter_mut().zip(&claims) {
            ask(node, claim.clone());
        }
        let (mut outcomes, mut told) = ([None; 2], [false; 2]);
        for (nth, node) in nodes.iter_mut().enumerate() {
            while outcomes[nth].is_none() {
                match node.reply() {
                    LogReply::Claimed(_, outcome) => outcomes[nth] = Some(outcome),
                    LogReply::Replaced(conn) => told[nth] |= conn == claims[nth].conn,
                    _ => {}
                }
            }
        }
        assert_eq!(outcomes, [Some(Ok(RESUMED)); 2]);
        // The other one ends, and is told so.
        let live = "SELECT CASE count(*) WHEN 1 THEN max(conn) END FROM chinwag.session \
                    WHERE ended IS NULL";
        let live = ConnId::from_u64(database.number(live).cast_unsigned());
        let ended = claims.iter().position(|claim| claim.conn != live).unwrap();
        assert_eq!(claims[1 - ended].conn, live);
        while !told[ended] {
            told[ended] = nodes[ended].reply() == LogReply::Replaced(claims[ended].conn);
        }
        settle(&mut first, SessionChange::EndAll(claims[0].user.clone()));
    }
}

#[test]
fn a_guests_name_that_two_nodes_give_at_once_has_one_owner() {
    let Some(database) = Database::new() else { return };
    let mut nodes = [1, 2].map(|seed| Peer::new(&database.address, seed));
    for round in 0..20_u128 {
        let name = format!("guest-{round}");
        ask(&mut nodes[0], claim(round * 2 + 1, None, &name));
        ask(&mut nodes[1], claim(round * 2 + 2, None, &name));
        let outcomes = nodes.each_mut().map(|node| answer(node).unwrap());
        assert!(outcomes.contains(&Claimed::New), "{outcomes:?}");
        assert!(outcomes.contains(&Claimed::Taken), "{outcomes:?}");
    }
    // It stays the owner's when that has gone, and goes with it to the other node.
    let owned = |peer: &mut Peer| find(peer, &[1])[0].is_some();
    let (secret, place) = if owned(&mut nodes[0]) { (1, 1) } else { (2, 0) };
    nodes[1 - place].ask(LogRequest::Session(SessionChange::End(SessionSecret(secret))));
    assert_eq!(claimed(&mut nodes[1 - place], claim(90, None, "guest-0")), Claimed::Taken);
    assert_eq!(claimed(&mut nodes[place], claim(91, Some(secret), "guest-0")), RESUMED);
    assert_eq!(claimed(&mut nodes[1 - place], claim(92, None, "guest-0")), Claimed::Taken);
    // It is free when nobody can come back by it any more.
    nodes[place].ask(LogRequest::Session(SessionChange::End(SessionSecret(91))));
    assert!(find(&mut nodes[place], &[91])[0].is_some());
    claimed(&mut nodes[place], claim(93, None, "ann"));
    database.run(&["UPDATE chinwag.session SET ended = 1 WHERE guest = 'guest-0'"]);
    assert_eq!(claimed(&mut nodes[0], claim(94, None, "guest-0")), Claimed::New);
}

#[test]
fn a_claim_whose_answer_was_lost_is_answered_as_it_was_done() {
    let Some(database) = Database::new() else { return };
    let mut one = Peer::new(&database.address, 1);
    assert_eq!(claimed(&mut one, claim(1, None, "ann")), Claimed::New);
    one.faults().loses = 1;
    ask(&mut one, claim(2, Some(1), "ann"));
    while one.faults().loses > 0 {
        assert!(one.poll_reply().is_none());
    }
    one.come_back();
    assert_eq!(answer(&mut one), Ok(RESUMED));
}

#[test]
fn a_claim_that_is_given_up_leaves_the_former_session_to_be_resumed() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = [1, 2].map(|seed| Peer::new(&database.address, seed));
    assert_eq!(claimed(&mut one, claim(1, None, "ann")), Claimed::New);
    one.faults().loses = 1;
    ask(&mut one, claim(2, Some(1), "ann"));
    while one.faults().loses > 0 {
        assert!(one.poll_reply().is_none());
    }
    one.go_down();
    assert_eq!(answer(&mut one), Err(LogFault::Broken));
    ask(&mut one, claim(3, Some(1), "ann"));
    assert_eq!(answer(&mut one), Err(LogFault::Broken), "at once");
    one.come_back();
    // Behind what was written when it came back.
    assert_eq!(claimed(&mut one, claim(4, None, "bob")), Claimed::New);
    assert_eq!(claimed(&mut two, claim(5, Some(1), "ann")), RESUMED);
}

#[test]
fn a_claim_that_is_given_up_leaves_a_session_that_was_live_elsewhere_to_be_resumed() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = [1, 2].map(|seed| Peer::new(&database.address, seed));
    assert_eq!(claimed(&mut one, claim(1, None, "guest-ann")), Claimed::New);
    assert_eq!(claimed(&mut two, claim(2, Some(1), "guest-ann")), RESUMED);
    // The connection has gone before it could be told, and the first node has not been told yet.
    two.ask(LogRequest::Session(SessionChange::End(SessionSecret(2))));
    while !two.node().is_settled() {
        two.turn();
    }
    assert!(find(&mut two, &[1])[0].is_some());
    assert_eq!(replaced(&mut one), ConnId::new(3, 1).unwrap(), "it goes on nowhere, but not here");
    assert_eq!(claimed(&mut two, claim(4, Some(1), "guest-ann")), RESUMED);
    assert_eq!(claimed(&mut one, claim(5, None, "guest-ann")), Claimed::Taken);
}

#[test]
fn what_a_session_has_said_of_itself_goes_with_it_and_an_operator_ends_all() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = [1, 2].map(|seed| Peer::new(&database.address, seed));
    claimed(&mut one, claim(1, None, "ann"));
    one.ask(LogRequest::Session(SessionChange::Away(SessionSecret(1), true)));
    // Behind it in the queue.
    claimed(&mut one, claim(2, None, "ann"));
    assert_eq!(claimed(&mut two, claim(3, Some(1), "ann")), Claimed::Resumed { away: true });
    let ann = UserName::parse("ann").unwrap();
    two.ask(LogRequest::Session(SessionChange::EndAll(ann)));
    assert_eq!(claimed(&mut two, claim(4, Some(3), "ann")), Claimed::New);
    assert_eq!(find(&mut two, &[2, 3]), [None, None]);
}

#[test]
fn each_user_has_a_bounded_number_of_sessions_that_have_ended() {
    let Some(database) = Database::new() else { return };
    let mut one = Peer::new(&database.address, 1);
    for secret in 1..=40 {
        claimed(&mut one, claim(secret, None, "ann"));
        one.ask(LogRequest::Session(SessionChange::End(SessionSecret(secret))));
    }
    claimed(&mut one, claim(99, None, "bob"));
    let all: Vec<u128> = (1..=40).collect();
    let left = find(&mut one, &all).into_iter().flatten().count();
    assert!((10..20).contains(&left), "{left}");
    assert!(find(&mut one, &[40])[0].is_some(), "the latest");
}
