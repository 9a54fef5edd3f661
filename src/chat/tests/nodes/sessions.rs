//! Sessions that go on at another node.

use super::*;
use crate::chat::model::identity::AuthPolicy;
use crate::chat::model::operator::OperatorAct;

impl Shared {
    pub(super) fn claim(&mut self, node: usize, mut claim: SessionClaim) -> Claimed {
        let former = claim.former.and_then(|old| self.session_by(old)).map(|it| it.claim.secret);
        let former = former.and_then(|secret| self.sessions.remove(&secret));
        let has_name =
            |session: &SharedSession| session.claim.is_guest && session.claim.user == claim.user;
        if claim.is_guest && self.sessions.values().any(has_name) {
            return Claimed::Taken;
        }
        claim.former = claim.former.filter(|_| former.is_some());
        let away = former.as_ref().is_some_and(|former| former.away);
        let claimed = if former.is_some() { Claimed::Resumed { away } } else { Claimed::New };
        if let Some(former) = former
            && let Some(other) = former.node.filter(|&other| other != node)
        {
            self.nodes[other].replies.push_back(LogReply::Replaced(former.claim.conn));
        }
        let session = SharedSession { node: Some(node), away, claim };
        self.sessions.insert(session.claim.secret, session);
        claimed
    }

    /// The session that this secret is good for.
    pub(super) fn session_by(&self, secret: SessionSecret) -> Option<&SharedSession> {
        let is_by = |claim: &SessionClaim| claim.secret == secret || claim.former == Some(secret);
        self.sessions.values().find(|session| is_by(&session.claim))
    }

    pub(super) fn change_session(&mut self, change: &SessionChange) {
        if let SessionChange::EndAll(user) = change {
            return self.sessions.retain(|_, session| session.claim.user != *user);
        }
        for (own, session) in &mut self.sessions {
            match change {
                SessionChange::End(secret) if secret == own => session.node = None,
                SessionChange::Used(secret) if secret == own => session.claim.former = None,
                SessionChange::Away(secret, away) if secret == own => session.away = *away,
                _ => {}
            }
        }
    }
}

/// What a connection is answered that comes back to a session.
fn back(
    pair: &mut Pair,
    (node, number): (usize, usize),
    name: Option<&str>,
    secret: &str,
) -> String {
    let said = pair.nodes[node].hello_with(number, name, Some((secret, &[])));
    let line = sent_to(&said, number).into_iter().find(|line| line != "wake");
    line.unwrap_or_default()
}

/// The secret that a connection was told last, and the name.
fn welcomed(said: &[Output]) -> (String, String) {
    let welcome = said.iter().find_map(|said| match said {
        Output::Reply { result: Ok(Reply::Welcome { session, user, .. }), .. } => {
            Some((session.to_string(), user.to_string()))
        }
        _ => None,
    });
    welcome.unwrap_or_else(|| panic!("{said:?}"))
}

/// Two nodes that let in guests only.
fn with_guests() -> Pair {
    let mut pair = Pair::new();
    for node in &mut pair.nodes {
        let auth =
            AuthPolicy { none: false, accounts: true, guests: true, ..AuthPolicy::default() };
        node.chat.context.limits.auth = auth;
    }
    pair
}

#[test]
fn a_session_goes_on_at_another_node_and_is_replaced_where_it_was() {
    let mut pair = Pair::new();
    let secret = pair.come(0, 0, "ann");
    let said = pair.run(0, 0, message(Target::User("bob".into()), "once", Some("c1")));
    assert!(lines(&said[0], 0).contains(&"sent 1".to_owned()), "{said:?}");
    assert_eq!(back(&mut pair, (1, 1), Some("ann"), &secret), "welcome ann true");
    assert_eq!(sent_to(&pair.end_turns()[0], 0), ["close Replaced"]);
    assert_eq!(pair.nodes[0].chat.stats().sessions, 0);
    // Its messages are the same user's still.
    let said = pair.run(1, 1, message(Target::User("bob".into()), "once", Some("c1")));
    assert!(lines(&said[1], 1).contains(&"dup 1".to_owned()), "{said:?}");
    // At the first node the old secret is good for nothing any more.
    assert_eq!(back(&mut pair, (0, 2), Some("ann"), &secret), "welcome ann false");
    assert!(!sent_to(&pair.end_turns()[1], 1).contains(&"close Replaced".to_owned()));
}

#[test]
fn a_session_whose_connection_is_gone_goes_on_at_each_node_in_turn() {
    let mut pair = Pair::new();
    let mut secret = pair.come(0, 0, "ann");
    pair.run(0, 0, Command::Status { away: true });
    for turn in 1..6 {
        let (from, to) = ((turn + 1) % 2, turn % 2);
        pair.go(from, turn - 1);
        let said = pair.nodes[to].hello_with(turn, None, Some((&secret, &[])));
        assert_eq!(sent_to(&said, turn)[0], "welcome ann true", "{turn}");
        secret = welcomed(&said).0;
        let chat = &pair.nodes[to].chat;
        let ann = chat.directory.user_named("ann").unwrap();
        assert!(
            chat.directory[ann].sessions[0].is_away(),
            "what it has said of itself holds: {turn}"
        );
    }
}

#[test]
fn a_guest_that_comes_back_to_another_node_keeps_its_name_and_nobody_else_gets_it() {
    let mut pair = with_guests();
    let said = pair.nodes[0].hello_with(0, Some("zed"), None);
    let (secret, name) = welcomed(&said);
    assert_eq!(name, "guest-zed");
    pair.end_turns();
    // Neither while it is there, nor when it has just gone.
    let taken = |pair: &mut Pair, number| {
        let said = pair.nodes[1].hello_with(number, Some("zed"), None);
        assert_eq!(sent_to(&said, number)[0], "no 2005");
    };
    taken(&mut pair, 1);
    pair.go(0, 0);
    taken(&mut pair, 2);
    assert_eq!(back(&mut pair, (1, 3), None, &secret), "welcome guest-zed true");
    let said = pair.nodes[0].hello_with(4, Some("zed"), None);
    assert_eq!(sent_to(&said, 4)[0], "no 2005");
    pair.run(1, 3, Command::Ping);
    // Who brings a secret that is spent is somebody else.
    let said = pair.nodes[0].hello_with(5, None, Some((&secret, &[])));
    assert!(welcomed(&said).1 != "guest-zed", "{said:?}");
}

#[test]
fn two_nodes_that_make_one_name_for_two_guests_end_with_two_names() {
    let mut pair = with_guests();
    // From the same bits, but for those of which the name is not made.
    let (one, two) =
        (pair.nodes[0].hello_with(0, None, None), { pair.nodes[1].hello_with(1, None, None) });
    let [one, two] = [welcomed(&one).1, welcomed(&two).1];
    assert!(one.starts_with("guest-") && two.starts_with("guest-"), "{one} {two}");
    assert_ne!(one, two);
}

#[test]
fn where_a_session_cannot_be_claimed_it_does_not_begin_and_the_former_one_stays() {
    let mut pair = Pair::new();
    let secret = pair.come(0, 0, "ann");
    pair.shared.borrow_mut().claims.push_back(Err(LogFault::Broken));
    assert_eq!(back(&mut pair, (1, 1), Some("ann"), &secret), "no 5004");
    assert_eq!(pair.nodes[1].chat.stats().sessions, 0);
    assert!(sent_to(&pair.end_turns()[0], 0).is_empty(), "nobody was replaced");
    assert_eq!(back(&mut pair, (1, 1), Some("ann"), &secret), "welcome ann true");
}

/// A connection of the second node comes back to a session, and something happens while its claim
/// is under way.
fn back_meanwhile(
    pair: &mut Pair,
    (name, secret): (&str, &str),
    meanwhile: impl Fn(&mut Chat, Now),
) -> Vec<Output> {
    let node = &mut pair.nodes[1];
    let now = node.now;
    let resume = Resume { session: secret.into(), positions: Vec::new(), former: None };
    let hello = Hello {
        name: Some(name.into()),
        resume: Some(resume),
        secret: 77,
        encoding: Encoding::default(),
        identity: None,
        is_visit: false,
    };
    node.chat.handle_hello(now, conn(1), request(Op::Hello), hello);
    loop {
        while let Some(request) = node.chat.poll_request() {
            if matches!(request, LogRequest::Claim(..)) {
                meanwhile(&mut node.chat, now);
            }
            node.store.request(now, request);
        }
        let Some(reply) = node.store.poll() else { break };
        node.chat.on_log_reply(now, reply);
    }
    node.end_turn()
}

#[test]
fn a_connection_that_is_gone_before_its_session_began_leaves_the_former_one() {
    let mut pair = Pair::new();
    let secret = pair.come(0, 0, "ann");
    pair.go(0, 0);
    back_meanwhile(&mut pair, ("ann", &secret), |chat, now| chat.handle_closed(now, conn(1)));
    let ann = UserName::parse("ann").unwrap();
    let live = |session: &SharedSession| session.claim.user == ann && session.node.is_some();
    assert!(!pair.shared.borrow().sessions.values().any(live), "nobody has it");
    pair.end_turns();
    assert_eq!(pair.nodes[1].chat.stats().sessions, 0);
    assert_eq!(back(&mut pair, (0, 2), Some("ann"), &secret), "welcome ann true");
}

#[test]
fn a_session_that_goes_on_elsewhere_before_its_claim_is_answered_does_not_begin() {
    let mut pair = Pair::new();
    let secret = pair.come(0, 0, "ann");
    let said = back_meanwhile(&mut pair, ("ann", &secret), |chat, now| {
        chat.on_log_reply(now, LogReply::Replaced(conn(1)));
    });
    assert_eq!(sent_to(&said, 1), ["close Replaced"]);
    assert_eq!(pair.nodes[1].chat.stats().sessions, 0);
}

#[test]
fn a_guest_whose_welcome_was_lost_returns_by_the_same_secret_at_whichever_node() {
    let mut pair = with_guests();
    let said = pair.nodes[0].hello_with(0, Some("zed"), None);
    let (secret, _) = welcomed(&said);
    pair.go(0, 0);
    // No client reads any of these welcomes; the connections are live, or gone.
    for (turn, node) in [1, 0, 0, 1, 1].into_iter().enumerate() {
        let number = turn + 1;
        assert_eq!(back(&mut pair, (node, number), None, &secret), "welcome guest-zed true");
        pair.end_turns();
        let sessions = pair.nodes.each_ref().map(|node| node.chat.stats().sessions);
        assert_eq!(sessions.iter().sum::<u64>(), 1, "each takes the place of the one before");
        assert_eq!(sessions[node], 1, "{turn}");
        if turn == 2 {
            pair.go(node, number);
        }
    }
    // This one is read: with the new secret the one of before is spent.
    let said = pair.nodes[0].hello_with(6, None, Some((&secret, &[])));
    let next = welcomed(&said).0;
    pair.end_turns();
    assert_eq!(back(&mut pair, (1, 7), None, &next), "welcome guest-zed true");
    let said = pair.nodes[0].hello_with(8, None, Some((&secret, &[])));
    assert_ne!(welcomed(&said).1, "guest-zed");
    // And so it is once its client has asked for anything.
    pair.run(1, 7, Command::Ping);
    let said = pair.nodes[0].hello_with(9, None, Some((&next, &[])));
    assert_ne!(welcomed(&said).1, "guest-zed");
}

#[test]
fn as_many_sessions_as_a_user_may_have_are_one_more_for_none_but_who_comes_back() {
    let mut pair = Pair::new();
    pair.nodes[1].chat.context.limits.sessions_per_user = 1;
    let elsewhere = pair.come(0, 0, "ann");
    let here = pair.come(1, 1, "ann");
    assert_eq!(back(&mut pair, (1, 2), Some("ann"), &elsewhere), "no 3012");
    assert!(sent_to(&pair.end_turns()[0], 0).is_empty(), "what is refused ends nothing");
    assert_eq!(back(&mut pair, (1, 3), Some("ann"), &here), "welcome ann true");
}

#[test]
fn sessions_that_the_operator_ends_are_resumed_nowhere() {
    let mut pair = Pair::new();
    let secret = pair.come(0, 0, "ann");
    pair.go(0, 0);
    let (now, operator) = (pair.nodes[0].now, UserName::parse("op").unwrap());
    let act = OperatorAct::EndSessions(UserName::parse("ann").unwrap());
    pair.nodes[0].chat.handle_operator(now, (conn(9), request(Op::Ping)), (&operator, act));
    pair.end_turns();
    assert_eq!(back(&mut pair, (1, 1), Some("ann"), &secret), "welcome ann false");
}
