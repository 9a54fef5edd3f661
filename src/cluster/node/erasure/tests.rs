//! Tests of erasures, on an engine.

use super::super::tests::peer::{Database, Peer, Session};
use super::*;
use crate::chat::model::log::{LogReply, LogRequest, Ticket};
use crate::chat::model::sessions::{SessionClaim, SessionSecret};
use crate::net::ConnId;

/// Why a statement was not done.
#[derive(Debug)]
enum Stop {
    /// It was one too many.
    Cut,
    Wrong,
}

impl From<WrongType> for Stop {
    fn from(_: WrongType) -> Self {
        Self::Wrong
    }
}

/// A session that ends after so many statements.
struct Cut {
    session: Session,
    left: usize,
}

impl Ask for Cut {
    type Error = Stop;

    fn ask_for(
        &mut self,
        statement: Statement,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Self::Error> {
        self.left = self.left.checked_sub(1).ok_or(Stop::Cut)?;
        self.session.ask_for(statement, params).map_err(Stop::from)
    }
}

/// A session during which `mallory` comes back, when its records are erased already.
struct Returning<'a> {
    session: Session,
    database: &'a Database,
    /// How often.
    times: usize,
    /// The node to which it comes, and which is told of what is done.
    node: Option<Peer>,
    /// The connections of which that node was told that their sessions are over.
    ended: Vec<ConnId>,
}

impl<'a> Returning<'a> {
    fn new(database: &'a Database, times: usize) -> Self {
        Self { session: database.session(), database, times, node: None, ended: Vec::new() }
    }

    fn come_back(&mut self) {
        self.database.run(RETURN);
        let Some(node) = &mut self.node else { return };
        let conn = ConnId::new(3, 1).unwrap();
        let (secret, user) = (SessionSecret(1), mallory());
        let claim = SessionClaim { secret, former: None, user, is_guest: false, conn };
        node.ask(LogRequest::Claim(Ticket(1), claim));
        while !matches!(node.reply(), LogReply::Claimed(..)) {}
    }
}

impl Ask for Returning<'_> {
    type Error = Stop;

    fn ask_for(
        &mut self,
        statement: Statement,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Self::Error> {
        if statement.name == "erase_lookalikes" && self.times > 0 {
            self.times -= 1;
            self.come_back();
        }
        if let Some(node) = &mut self.node
            && let Some(LogReply::Replaced(conn)) = node.poll_reply()
        {
            self.ended.push(conn);
        }
        self.session.ask_for(statement, params).map_err(Stop::from)
    }
}

/// `mallory` writes once more, in a room and in the conversation.
const RETURN: &[&str] = &[
    "INSERT INTO chinwag.room (name, epoch) VALUES ('@ann:mallory', 9) ON CONFLICT DO NOTHING",
    "UPDATE chinwag.room SET head = head + 1, bytes = bytes + 12 \
     WHERE name IN ('@ann:mallory', 'yard')",
    "INSERT INTO chinwag.record (room, seq, at, weight, kind, sender, text) \
     SELECT r.id, r.head, 6, 300, 0, 'mallory', 'secret again' FROM chinwag.room r \
     WHERE r.name IN ('@ann:mallory', 'yard')",
    "INSERT INTO chinwag.member (room, name, role, recv, read, joined) \
     SELECT r.id, u.name, 1, 0, 0, 9 FROM chinwag.room r, unnest(ARRAY['ann', 'mallory']) AS u(name) \
     WHERE r.name IN ('@ann:mallory', 'yard') ON CONFLICT DO NOTHING",
];

/// `mallory` has said, changed, done and been done to. All that is its own has `secret` in it, and
/// what is others' has `hers`.
const STORED: &[&str] = &[
    "INSERT INTO chinwag.room (name, epoch, head, topic, topic_by, owned) VALUES \
     ('lobby', 1, 7, 'secret topic', 'mallory', true), ('@ann:mallory', 1, 3, '', NULL, false), \
     ('@ann:mallow', 1, 1, 'hers', 'mallow', false), ('yard', 1, 2, 'hers', 'ann', false), \
     ('old', 1, 1, 'secret of old', NULL, false), ('far', 1, 1, 'hers', NULL, false)",
    "INSERT INTO chinwag.record \
     (room, seq, at, weight, kind, sender, target, who, number, text, data, cid, thread) VALUES \
     (1, 1, 5, 300, 0, 'mallory', NULL, NULL, NULL, 'secret one', '{\"secret\":1}', 'secret1', NULL), \
     (1, 2, 5, 300, 0, 'ann', NULL, NULL, NULL, 'hers', NULL, 'c1', NULL), \
     (1, 3, 5, 300, 2, 'mallory', 1, NULL, NULL, 'secret two', NULL, NULL, NULL), \
     (1, 4, 5, 300, 4, 'mallory', 2, NULL, 0, 'secret', NULL, NULL, NULL), \
     (1, 5, 5, 300, 7, 'ann', NULL, 'mallory', NULL, 'hers', NULL, NULL, NULL), \
     (1, 6, 5, 300, 7, 'mallory', NULL, 'eve', NULL, 'secret why', NULL, NULL, NULL), \
     (1, 7, 5, 300, 0, 'mallory', NULL, NULL, NULL, 'secret answer', NULL, NULL, 2), \
     (2, 1, 5, 300, 0, 'mallory', NULL, NULL, NULL, 'secret', NULL, NULL, NULL), \
     (2, 2, 5, 300, 0, 'ann', NULL, NULL, NULL, 'hers', NULL, NULL, NULL), \
     (2, 3, 5, 300, 1, 'mallory', NULL, NULL, NULL, NULL, NULL, 'secret2', NULL), \
     (3, 1, 5, 300, 0, 'mallow', NULL, NULL, NULL, 'hers', NULL, NULL, NULL), \
     (4, 1, 5, 300, 0, 'ann', NULL, NULL, NULL, 'hers', NULL, NULL, NULL), \
     (4, 2, 5, 300, 9, 'mallory', NULL, 'eve', NULL, 'secret mute', NULL, NULL, NULL), \
     (5, 1, 5, 300, 5, 'mallory', NULL, NULL, NULL, 'secret of old', NULL, NULL, NULL), \
     (6, 1, 5, 300, 0, 'ann', NULL, NULL, NULL, 'hers', NULL, NULL, NULL), \
     (99, 1, 5, 300, 0, 'mallory', NULL, NULL, NULL, 'secret of none', NULL, NULL, NULL)",
    "INSERT INTO chinwag.gone VALUES (99)",
    "UPDATE chinwag.room r SET bytes = (SELECT sum(octet_length(text) \
     + coalesce(octet_length(data), 0)) FROM chinwag.record x WHERE x.room = r.id)",
    "INSERT INTO chinwag.member VALUES (1, 'mallory', 3, 0, 0, 1), (1, 'eve', 1, 0, 0, 2), \
     (1, 'ann', 1, 0, 0, 3), (2, 'ann', 1, 1, 1, 1), (2, 'mallory', 1, 1, 1, 1), \
     (4, 'ann', 1, 0, 0, 1)",
    "INSERT INTO chinwag.restriction (room, name, kind, until, reason, \"by\") VALUES \
     (1, 'eve', 1, NULL, 'secret reason', 'mallory'), (4, 'mallory', 1, NULL, 'hers', 'ann'), \
     (4, 'eve', 1, NULL, 'secret by nobody', NULL), (4, 'bob', 0, 9, 'hers', 'ann')",
    "INSERT INTO chinwag.change VALUES (6, 'mallory', 2, 0, 1, 0, 7), (6, 'ann', 2, 0, 2, 0, 7)",
    "INSERT INTO chinwag.lookalike VALUES (0, 'maIIory', 'mallory'), (0, 'aun', 'ann')",
    "INSERT INTO chinwag.sent VALUES (6, 'mallory', 'secret3', 1, 1, ''), (6, 'ann', 'c2', 1, 1, '')",
    "INSERT INTO chinwag.follow VALUES (1, 2, 'mallory', 2, 1, false), (1, 2, 'ann', 2, 1, false)",
    "INSERT INTO chinwag.session (hash, name, guest, node, conn, away, resumed) VALUES \
     ('a', 'mallory', 'mallory', 99, 1, false, false), ('b', 'ann', NULL, 99, 1, false, false)",
    "INSERT INTO chinwag.people VALUES \
     (0, 'mallory', '3 secret', '{3,1,NULL,NULL}', '{secret,secret,secret,NULL,NULL,NULL}'), \
     (0, 'ann', NULL, '{2,1,NULL,NULL}', '{\"\",\"\",hers,NULL,NULL,NULL}'), \
     (1, 'mallory', NULL, '{0,NULL,NULL,NULL}', '{secret,NULL,NULL,NULL,NULL,NULL}'), \
     (2, '7', 'aa', '{1,NULL,NULL,1}', '{mallory,aa,secret agent,NULL,NULL,NULL}'), \
     (3, 'bb', NULL, '{1,0,9,NULL}', '{lobby,mallory,NULL,NULL,NULL,NULL}'), \
     (4, 'mallory', 'cc', '{3,NULL,1,NULL}', '{cc,*,NULL,NULL,NULL,NULL}'), \
     (5, 'user mallory', NULL, '{NULL,NULL,NULL,NULL}', '{spam,NULL,NULL,NULL,NULL,NULL}'), \
     (7, 'mallory eve', NULL, '{1,NULL,NULL,NULL}', '{NULL,NULL,NULL,NULL,NULL,NULL}'), \
     (7, 'eve mallory', NULL, '{1,NULL,NULL,NULL}', '{NULL,NULL,NULL,NULL,NULL,NULL}'), \
     (10, 'mallory', NULL, '{9,NULL,NULL,NULL}', '{secret name,secret text,NULL,NULL,NULL,NULL}'), \
     (8, '1', NULL, '{1,1,NULL,NULL}', '{ann,mallory,lobby,secret one,about it,NULL}'), \
     (8, '2', NULL, '{1,1,NULL,NULL}', '{mallory,ann,lobby,of ann,secret reason,NULL}')",
    "INSERT INTO chinwag.audit (at, \"by\", act, whom, room) VALUES \
     (1, 'mallory', 'mute', 'eve', 'yard'), (1, 'ann', 'ban', 'mallory', 'lobby')",
    "INSERT INTO chinwag.file VALUES ('cwf_a', 'secret4', 'p1', 'mallory', 10, 0, 1), \
     ('cwf_b', 'secret5', 'p2', 'mallory', 20, 0, 1), ('cwf_c', 'h', 'p2', 'ann', 20, 0, 1)",
    "INSERT INTO chinwag.file_use VALUES (1, 1, 'cwf_a')",
    "UPDATE chinwag.file_sum SET bytes = 50",
    "INSERT INTO chinwag.file_sum VALUES ('mallory', 30), ('ann', 20)",
    "INSERT INTO chinwag.webhook (name, url, rooms, patterns, events, \"except\", signs, at, place) \
     VALUES ('bot', 'https://a.example', '*', '{%}', 64, 'mallory', 'x', 1, 0)",
    "INSERT INTO chinwag.outgoing (kind, at, name, who) VALUES \
     (0, 1, 'lobby', 'mallory'), (0, 1, 'lobby', 'ann')",
    "SELECT chinwag.index_1(ARRAY[1, 2], ARRAY[0, 0], ARRAY[0, 0], ARRAY[7, 3], ARRAY[5, 5], \
     ARRAY[5, 5], ARRAY['''secret'':1,7 ''hers'':2', '''secret'':1 ''hers'':2'])",
    // How many cells of all tables have this in them.
    "CREATE FUNCTION public.cells(marker text) RETURNS bigint LANGUAGE plpgsql AS $$
     DECLARE c record; n bigint; total bigint := 0;
     BEGIN
       FOR c IN SELECT table_name AS t, column_name AS k FROM information_schema.columns
         WHERE table_schema = 'chinwag' LOOP
         EXECUTE format('SELECT count(*) FROM chinwag.%I WHERE %I::text LIKE %L', c.t, c.k,
           '%' || marker || '%') INTO n;
         total := total + n;
       END LOOP;
       RETURN total;
     END $$",
];

const SECRETS: &str = "SELECT public.cells('secret')";
const NAMES: &str = "SELECT public.cells('mallory')";
const OTHERS: &str = "SELECT public.cells('hers')";

fn stored() -> Option<Database> {
    let database = Database::new()?;
    database.run(STORED);
    Some(database)
}

fn mallory() -> UserName {
    UserName::parse("mallory").unwrap()
}

/// Names by number.
fn names() -> impl FnMut() -> Option<UserName> {
    let mut drawn = 0;
    move || {
        drawn += 1;
        Some(UserName::parse(&format!("erased-{drawn}")).unwrap())
    }
}

fn session(database: &Database, left: usize) -> Cut {
    Cut { session: database.session(), left }
}

#[track_caller]
fn is_erased(database: &Database) {
    assert_eq!(database.number(SECRETS), 0);
    // Whose name it was stays taken, and the ban works by the name.
    assert_eq!(database.number(NAMES), 2);
    let taken = "SELECT count(*) FROM chinwag.people WHERE key IN ('mallory', 'user mallory') \
                 AND (kind = 5 OR kind = 0 AND numbers[1] = 6)";
    assert_eq!(database.number(taken), 2);
    let wrong = "SELECT count(*) FROM chinwag.room r WHERE bytes <> coalesce((\
                 SELECT sum(octet_length(text)) FROM chinwag.record x WHERE x.room = r.id), 0)";
    assert_eq!(database.number(wrong), 0, "the bytes that are left are counted");
    let files = "SELECT (SELECT count(*) FROM chinwag.file) * 1000 + (SELECT sum(bytes)::bigint \
                 FROM chinwag.file_sum) + (SELECT count(*) FROM chinwag.file_gone WHERE place = 'p1')";
    assert_eq!(
        database.number(files),
        1000 + 2 * 20 + 1,
        "what another one has sent as well stays"
    );
    let told = "SELECT count(*) FROM chinwag.outgoing WHERE who = 'ann'";
    assert_eq!(database.number(told), 1);
    let marks = "SELECT count(*) FROM chinwag.meta WHERE starts_with(key, 'erase')";
    assert_eq!(database.number(marks), 0);
}

#[test]
fn no_column_of_any_table_has_what_was_said_and_what_is_others_stays() {
    let Some(database) = stored() else { return };
    let (secrets, others) = (database.number(SECRETS), database.number(OTHERS));
    assert!(secrets > 20, "{secrets}");
    let mut engine = session(&database, usize::MAX);
    let traces = traces(&mut engine, &mallory()).unwrap();
    let expect = Traces {
        messages: 4,
        records: 11,
        memberships: 2,
        restrictions: 5,
        conversations: 1,
        is_bound: true,
        is_unfinished: false,
    };
    assert_eq!(traces, expect);
    let erased = run(&mut engine, &mallory(), 1, &mut names()).unwrap();
    is_erased(&database);
    // A restriction ends with its user; the other words of two blocks are indexed again, by a node.
    assert_eq!(database.number(OTHERS), others - 3);
    let heirs = vec![("lobby".to_owned(), "ann".to_owned())];
    let ownerless = Vec::new();
    assert_eq!(
        erased,
        Erased { placeholder: UserName::parse("erased-1").unwrap(), heirs, ownerless }
    );
    // Of the conversation no public record tells the name.
    let own = "SELECT count(*) FROM chinwag.record x JOIN chinwag.room r ON r.id = x.room \
               WHERE r.name = '@ann:erased-2' AND x.sender = 'erased-2'";
    assert_eq!(database.number(own), 2);
    let elsewhere = "SELECT count(*) FROM chinwag.record WHERE sender = 'erased-1' AND room <> 2";
    assert_eq!(database.number(elsewhere), 8);
    let renewed = "SELECT sum(id)::bigint FROM chinwag.room WHERE epoch <> 1";
    assert_eq!(database.number(renewed), 1 + 2 + 4 + 5, "who has these in memory forgets them");
    assert_eq!(super::traces(&mut engine, &mallory()).unwrap(), Traces::default());
}

#[test]
fn an_erasure_that_is_cut_off_anywhere_goes_on_with_the_same_placeholder() {
    let Some(database) = stored() else { return };
    let mut draw = names();
    let mut erased = None;
    for left in 1.. {
        let mut engine = session(&database, left);
        match run(&mut engine, &mallory(), 1, &mut draw) {
            Ok(done) => {
                erased = Some(done);
                break;
            }
            Err(Halt::Engine(Stop::Cut)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    is_erased(&database);
    let placeholder = erased.unwrap().placeholder;
    let sql = "SELECT DISTINCT CASE x.room WHEN 2 THEN r.name ELSE '' END, x.sender \
               FROM chinwag.record x LEFT JOIN chinwag.room r ON r.id = x.room \
               WHERE x.sender LIKE 'erased-%' ORDER BY 1";
    let rows =
        session(&database, usize::MAX).ask_for(Statement { name: "names", sql }, &[]).unwrap();
    let names: Vec<_> =
        rows.iter().map(|row| (row.text(0).unwrap(), row.text(1).unwrap())).collect();
    let [("", elsewhere), (conversation, there)] = names[..] else { panic!("{names:?}") };
    assert_eq!(elsewhere, placeholder.as_str());
    assert!(there != elsewhere && conversation == format!("@ann:{there}"), "{names:?}");
}

#[test]
fn what_a_user_writes_who_comes_back_meanwhile_is_erased_as_well_and_its_session_ends() {
    let Some(database) = stored() else { return };
    let mut engine = Returning::new(&database, 1);
    engine.node = Some(Peer::new(&database.address, 1));
    run(&mut engine, &mallory(), 1, &mut names()).unwrap();
    assert_eq!(engine.times, 0);
    assert_eq!(engine.ended, [ConnId::new(3, 1).unwrap()]);
    is_erased(&database);
    let conversations = "SELECT count(*) FROM chinwag.room WHERE name LIKE '@ann:erased-%'";
    assert_eq!(database.number(conversations), 2, "the one of before, and another one");
}

#[test]
fn who_comes_back_again_and_again_is_said_and_the_erasure_goes_on_when_that_is_over() {
    let Some(database) = stored() else { return };
    let mut draw = names();
    let mut engine = Returning::new(&database, usize::MAX);
    let halt = run(&mut engine, &mallory(), 1, &mut draw);
    assert!(matches!(halt, Err(Halt::Returns)), "{halt:?}");
    let mut engine = session(&database, usize::MAX);
    let left = traces(&mut engine, &mallory()).unwrap();
    assert!(left.is_unfinished && left.records > 0, "{left:?}");
    let erased = run(&mut engine, &mallory(), 1, &mut draw).unwrap();
    assert_eq!(erased.placeholder.as_str(), "erased-1", "as it was begun");
    is_erased(&database);
}

#[test]
fn an_erasure_that_is_stopped_anywhere_erases_what_came_before_it_was_begun_again() {
    let mut is_whole = false;
    for left in (1..).step_by(9) {
        let Some(database) = stored() else { return };
        let mut draw = names();
        match run(&mut session(&database, left), &mallory(), 1, &mut draw) {
            Ok(_) => is_whole = true,
            Err(Halt::Engine(Stop::Cut)) => {}
            Err(other) => panic!("{other:?}"),
        }
        database.run(RETURN);
        run(&mut session(&database, usize::MAX), &mallory(), 1, &mut draw).unwrap();
        is_erased(&database);
        if is_whole {
            return;
        }
    }
}

#[test]
fn as_many_records_as_several_lots_and_windows_are_erased_and_the_rest_stays() {
    let Some(database) = Database::new() else { return };
    let count = 2 * LOOK + 7;
    database.run(&[
        "INSERT INTO chinwag.room (name, epoch, head) VALUES ('lobby', 1, 40007)",
        "INSERT INTO chinwag.record (room, seq, at, weight, kind, sender, text) \
         SELECT 1, n, 5, 300, 0, CASE n % 20 WHEN 7 THEN 'mallory' ELSE 'ann' END, 'text' \
         FROM generate_series(1, 40007) n",
    ]);
    let mut engine = session(&database, usize::MAX);
    let records = u64::try_from(count / 20 + 1).unwrap();
    let expect = Traces { messages: records, records, ..Traces::default() };
    assert_eq!(traces(&mut engine, &mallory()).unwrap(), expect);
    run(&mut engine, &mallory(), 1, &mut names()).unwrap();
    let gone = "SELECT count(*) FROM chinwag.record WHERE sender = 'erased-1' AND kind = 1 \
                AND text IS NULL";
    assert_eq!(database.number(gone), i64::try_from(records).unwrap());
    let rest = "SELECT count(*) FROM chinwag.record WHERE sender = 'ann' AND text = 'text'";
    assert_eq!(database.number(rest), count - i64::try_from(records).unwrap());
}

#[test]
fn nobody_leaves_no_trace_and_nothing_is_changed() {
    let Some(database) = stored() else { return };
    let nobody = UserName::parse("nobody").unwrap();
    let mut engine = session(&database, usize::MAX);
    assert_eq!(traces(&mut engine, &nobody).unwrap(), Traces::default());
    let before = database.number(SECRETS);
    run(&mut engine, &nobody, 1, &mut names()).unwrap();
    assert_eq!(database.number(SECRETS), before);
    assert_eq!(database.number("SELECT count(*) FROM chinwag.room WHERE epoch <> 1"), 0);
}

#[test]
fn what_an_erasure_changes_of_people_has_the_number_that_nodes_are_told() {
    let Some(database) = stored() else { return };
    let user = UserName::parse("mallory").unwrap();
    run(&mut session(&database, usize::MAX), &user, 1, &mut names()).unwrap();
    let ahead = "SELECT m.value::bigint - (SELECT max(p.changed) FROM chinwag.people p) \
                 FROM chinwag.meta m WHERE m.key = 'people'";
    assert_eq!(database.number(ahead), 0);
}

/// All columns that may have a text: each is in the table of the module, or has none of a person's.
const COLUMNS: &str = "audit.act audit.by audit.room audit.whom change.name closed.by closed.reason dead_letter.webhook \
    dead_letter.why file.hash file.id file.owner file.place file_check.file file_gone.place \
    file_node.fault file_node.nonce file_sum.owner file_use.file follow.name former.name lookalike.form \
    lookalike.name member.name meta.key meta.value node.address node.name node.version \
    outgoing.name outgoing.who people.key people.numbers people.other people.texts \
    people_gone.key push.agent push.auth push.endpoint push.name push.p256dh push_news.shown record.cid \
    record.data record.sender record.text record.who restriction.by restriction.name \
    restriction.reason room.name room.policy room.topic room.topic_by sender_settings.name \
    sender_settings.settings sent.cid sent.said sent.sender session.former session.guest \
    session.hash session.name webhook.ended webhook.except webhook.former webhook.name \
    webhook.patterns webhook.rooms webhook.signs webhook.url word.words";

#[test]
fn an_erasure_knows_each_column_that_may_have_a_text() {
    let Some(database) = Database::new() else { return };
    let sql = "SELECT c.table_name || '.' || c.column_name FROM information_schema.columns c \
               WHERE c.table_schema = 'chinwag' \
               AND c.data_type NOT IN ('bigint', 'integer', 'smallint', 'boolean') \
               ORDER BY c.table_name COLLATE \"C\", c.column_name COLLATE \"C\"";
    let rows = database.session().ask_for(Statement { name: "columns", sql }, &[]).unwrap();
    let found: Vec<&str> = rows.iter().map(|row| row.text(0).unwrap()).collect();
    let known: Vec<&str> = COLUMNS.split_whitespace().collect();
    assert_eq!(found, known, "say in the table of `erasure` what becomes of a new one");
}
