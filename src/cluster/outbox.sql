-- The outbox of the webhooks, added to the schema of version 1: each statement does nothing where that is there already.
--
-- What a webhook may be told is entered in the transaction in which it happens, once for all nodes and webhooks, and never
-- where there is no webhook. One node at a time sends: it puts the entries into one order, and each webhook has a place in
-- it up to which everything was delivered or given up.

CREATE TABLE IF NOT EXISTS chinwag.webhook (
  name text COLLATE "C" PRIMARY KEY,
  url text NOT NULL,
  rooms text NOT NULL,                   -- names in which * stands for any text, separated by spaces ...
  patterns text[] COLLATE "C" NOT NULL,  -- ... and the same for LIKE
  events bigint NOT NULL,                -- a bit for each kind, see webhook.rs of the domain's model
  "except" text COLLATE "C",             -- the user of whose doings nothing is told
  signs text NOT NULL,                   -- what it signs with, readable
  former text,                           -- likewise, of before ...
  former_until bigint,                   -- ... until then
  at bigint NOT NULL,
  place bigint NOT NULL,
  to_place bigint,                       -- where the batch ends that is tried again, so that it stays the same
  attempts bigint NOT NULL DEFAULT 0,    -- that failed in a row
  next_at bigint NOT NULL DEFAULT 0,     -- when the next may be made
  ended text,                            -- why nothing more is sent, if so
  revived bigint NOT NULL DEFAULT 0      -- how often a command has asked for another try
) WITH (fillfactor = 50);

-- What webhooks may be told. In a room ids rise with seqs: whoever enters something there has locked the room's row.
CREATE TABLE IF NOT EXISTS chinwag.outgoing (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  place bigint,                          -- NULL until the node that sends has put it into the order
  kind smallint NOT NULL,                -- -1 a record; 0 join, 1 leave, 2 room made, 3 direct message unseen, 4 connection
  at bigint NOT NULL,
  room bigint,                           -- the room's row, of a record or a direct message
  seq bigint,
  name text COLLATE "C",                 -- the room's name, of everything else
  who text COLLATE "C",
  number bigint NOT NULL DEFAULT 0,      -- 0: the role; 1: the reason; 4: twice the connections left, and 1 if it began
  node bigint,                           -- which node has entered it, ...
  nth bigint                             -- ... as its how manieth: what is repeated is there once
);
CREATE UNIQUE INDEX IF NOT EXISTS outgoing_place ON chinwag.outgoing (place) WHERE place IS NOT NULL;
CREATE INDEX IF NOT EXISTS outgoing_new ON chinwag.outgoing (id) WHERE place IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS outgoing_origin ON chinwag.outgoing (node, nth) WHERE node IS NOT NULL;

-- What could not be delivered: the entries between two places.
CREATE TABLE IF NOT EXISTS chinwag.dead_letter (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  webhook text COLLATE "C" NOT NULL,
  at bigint NOT NULL,
  low bigint NOT NULL,
  high bigint NOT NULL,
  events bigint NOT NULL,
  why text NOT NULL,
  again boolean NOT NULL DEFAULT false   -- a command has asked for another try
);
CREATE INDEX IF NOT EXISTS dead_letter_webhook ON chinwag.dead_letter (webhook, id);

-- Who sends, and how far the order goes: one row.
CREATE TABLE IF NOT EXISTS chinwag.sender (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  node bigint NOT NULL DEFAULT 0,
  until bigint NOT NULL DEFAULT 0,       -- unless it is claimed anew, by the engine's clock
  turn bigint NOT NULL DEFAULT 0,        -- rises whenever it is another one that sends, or the same begins anew
  place bigint NOT NULL DEFAULT 0,       -- the last one that was given
  gone bigint NOT NULL DEFAULT 0,        -- entries up to here have gone, since there were too many
  version bigint NOT NULL DEFAULT 0      -- rises when a command has changed the webhooks
) WITH (fillfactor = 50);
INSERT INTO chinwag.sender DEFAULT VALUES ON CONFLICT DO NOTHING;

-- The `[webhooks]` settings of each node, as one text.
CREATE TABLE IF NOT EXISTS chinwag.sender_settings (
  node bigint PRIMARY KEY,
  name text NOT NULL,
  settings text NOT NULL
);

-- Whether any webhook may be told something of this kind in a room, or in none: by any name that it has or had.
CREATE OR REPLACE FUNCTION chinwag.is_told_1(kind bigint, room_name text, sender text) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT 1 FROM chinwag.webhook w WHERE w.events >> kind::integer & 1 = 1
    AND (room_name IS NULL OR room_name LIKE ANY (w.patterns) OR EXISTS (
      SELECT 1 FROM chinwag.room r JOIN chinwag.former f ON f.room = r.id
      WHERE r.name = room_name AND f.name LIKE ANY (w.patterns)))
    AND w."except" IS DISTINCT FROM sender)
$$;

-- Records are entered in the transaction that stores them: of each room those of the seqs from `lows` to `highs`. Whoever a
-- direct message is for and has no session at any node has not seen it. What chinwag.is_told_1 says stands here once more:
-- a call for each record would cost as much as storing it.
CREATE OR REPLACE FUNCTION chinwag.enter_records_2(room_ids bigint[], lows bigint[], highs bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  events bigint;
BEGIN
  SELECT bit_or(w.events) INTO events FROM chinwag.webhook w;
  IF events & 63 <> 0 THEN
    -- Rooms once, and not with each record.
    WITH told AS MATERIALIZED (
      SELECT r.id, w.events, w."except" FROM chinwag.room r JOIN chinwag.webhook w ON r.name LIKE ANY (w.patterns)
        OR EXISTS (SELECT 1 FROM chinwag.former f WHERE f.room = r.id AND f.name LIKE ANY (w.patterns))
      WHERE r.id = ANY (room_ids) AND r.name NOT LIKE '@%'
    )
    INSERT INTO chinwag.outgoing (kind, at, room, seq)
    SELECT -1, n.at, n.room, n.seq FROM unnest(room_ids, lows, highs) AS u(room, low, high)
    CROSS JOIN LATERAL (SELECT * FROM chinwag.record x
      WHERE x.room = u.room AND x.seq BETWEEN u.low AND u.high OFFSET 0) AS n
    WHERE EXISTS (SELECT 1 FROM told t WHERE t.id = n.room AND t."except" IS DISTINCT FROM n.sender
      AND t.events >> (CASE WHEN n.kind <= 1 THEN 0 WHEN n.kind <= 5 THEN n.kind - 1 ELSE 5 END) & 1 = 1)
    ORDER BY n.room, n.seq;
  END IF;
  IF events >> 9 & 1 = 1 THEN
    INSERT INTO chinwag.outgoing (kind, at, room, seq, who)
    SELECT 3, n.at, n.room, n.seq, n.other FROM (
      SELECT x.*, CASE WHEN split_part(substr(r.name, 2), ':', 1) = x.sender THEN split_part(r.name, ':', 2)
        ELSE split_part(substr(r.name, 2), ':', 1) END AS other
      FROM unnest(room_ids, lows, highs) AS u(room, low, high) JOIN chinwag.room r ON r.id = u.room
      CROSS JOIN LATERAL (SELECT * FROM chinwag.record y
        WHERE y.room = u.room AND y.seq BETWEEN u.low AND u.high OFFSET 0) AS x
      WHERE r.name LIKE '@%' AND x.kind = 0) AS n
    WHERE n.other <> n.sender
      AND EXISTS (SELECT 1 FROM chinwag.webhook w
        WHERE w.events >> 9 & 1 = 1 AND w."except" IS DISTINCT FROM n.sender)
      AND (SELECT 1 FROM chinwag.session s WHERE s.name = n.other AND coalesce(s.ended, 0) = 0 LIMIT 1) IS NULL
    ORDER BY n.room, n.seq;
  END IF;
END
$$;

-- Likewise rooms: of two nodes that make one at once, one has.
CREATE OR REPLACE FUNCTION chinwag.enter_room_1() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.name NOT LIKE '@%' AND chinwag.is_told_1(8, NEW.name, NULL) THEN
    INSERT INTO chinwag.outgoing (kind, at, name)
    VALUES (2, (extract(epoch FROM clock_timestamp()) * 1000)::bigint, NEW.name);
  END IF;
  RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER room_entered AFTER INSERT ON chinwag.room
  FOR EACH ROW EXECUTE FUNCTION chinwag.enter_room_1();

-- What is in no log and a node has seen: joins, leaves, connections.
CREATE OR REPLACE FUNCTION chinwag.enter_1(
  kinds bigint[], names text[], whos text[], numbers bigint[], nths bigint[], own bigint
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO chinwag.outgoing (kind, at, name, who, number, node, nth)
  SELECT u.kind, (extract(epoch FROM clock_timestamp()) * 1000)::bigint, u.name, u.who, u.number, own, u.nth
  FROM unnest(kinds, names, whos, numbers, nths) WITH ORDINALITY AS u(kind, name, who, number, nth, at)
  WHERE chinwag.is_told_1(CASE u.kind WHEN 0 THEN 6 WHEN 1 THEN 7 ELSE 10 END, u.name, u.who)
  ORDER BY u.at
  ON CONFLICT DO NOTHING;
END
$$;

-- Entries that are visible come behind those that have a place: in a room that is always what comes next, as whoever
-- enters something there waits for who was there before. The row of `sender` has to be locked. How many they were.
CREATE OR REPLACE FUNCTION chinwag.place_1() RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  placed bigint;
BEGIN
  UPDATE chinwag.outgoing x SET place = s.place + o.nth
  FROM (SELECT f.id, row_number() OVER (ORDER BY f.id) AS nth
    FROM (SELECT g.id FROM chinwag.outgoing g WHERE g.place IS NULL ORDER BY g.id LIMIT 4096) AS f) AS o,
    chinwag.sender s
  WHERE x.id = o.id;
  GET DIAGNOSTICS placed = ROW_COUNT;
  IF placed > 0 THEN UPDATE chinwag.sender SET place = place + placed; END IF;
  RETURN placed;
END
$$;

-- Entries of before that time which all webhooks are past go, but for what a dead letter has: only what lies between that
-- is passed over.
CREATE OR REPLACE FUNCTION chinwag.forget_told_1(before bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  done bigint;
  held int8multirange;
BEGIN
  SELECT min(w.place) INTO done FROM chinwag.webhook w;
  SELECT range_agg(int8range(d.low, d.high, '(]')) INTO held FROM chinwag.dead_letter d WHERE d.low < d.high;
  DELETE FROM chinwag.outgoing o WHERE o.id IN (
    SELECT f.id FROM unnest(int8multirange(int8range(0, done, '(]')) - coalesce(held, '{}')) AS u(gap)
    CROSS JOIN LATERAL (SELECT x.id FROM chinwag.outgoing x
      WHERE x.place <= done AND x.place >= lower(u.gap) AND x.place < upper(u.gap) AND x.at < before
      LIMIT 65536) AS f
    LIMIT 65536);
END
$$;

-- The node `own` wants to send, for `term` milliseconds; `known_turn` is its turn, if it does already. Its turn, NULL if
-- another node sends; the version of the webhooks, and what they are told together; whether there is something new; the
-- names of nodes with other settings. Nothing waits for a standby: what is lost is claimed, or sent, once more.
CREATE OR REPLACE FUNCTION chinwag.send_1(own bigint, own_name text, own_settings text, known_turn bigint, term bigint)
RETURNS TABLE (turn bigint, version bigint, events bigint, has_new boolean, others text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  -- A million entries are some 150 MB. An entry is kept for a minute, so that one that is repeated is known.
  entries_max CONSTANT bigint := 1000000;
  kept_for CONSTANT bigint := 60000;
  wall bigint := (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
  s chinwag.sender;
  given bigint;
  done bigint;
BEGIN
  SELECT * INTO s FROM chinwag.sender;
  IF NOT EXISTS (SELECT 1 FROM chinwag.webhook) THEN
    -- Nobody has anything to be sent any more: what there is goes in lots, at one node at a time.
    IF EXISTS (SELECT 1 FROM chinwag.outgoing) THEN
      PERFORM set_config('synchronous_commit', 'off', true);
      PERFORM 1 FROM chinwag.sender FOR UPDATE SKIP LOCKED;
      -- Behind the lock: a webhook that was added meanwhile is seen.
      IF FOUND AND NOT EXISTS (SELECT 1 FROM chinwag.webhook) THEN
        DELETE FROM chinwag.outgoing o WHERE o.id IN (SELECT f.id FROM chinwag.outgoing f ORDER BY f.id LIMIT 65536);
      END IF;
    END IF;
    RETURN QUERY SELECT NULL::bigint, s.version, 0::bigint, false, NULL::text;
    RETURN;
  END IF;
  PERFORM set_config('synchronous_commit', 'off', true);
  -- Whoever does not send writes nothing.
  IF NOT EXISTS (SELECT 1 FROM chinwag.sender_settings x
    WHERE x.node = own AND x.name = own_name AND x.settings = own_settings)
  THEN
    INSERT INTO chinwag.sender_settings AS x VALUES (own, own_name, own_settings)
    ON CONFLICT (node) DO UPDATE SET name = excluded.name, settings = excluded.settings;
  END IF;
  IF s.node = own AND s.turn = known_turn THEN
    UPDATE chinwag.sender x SET until = wall + term WHERE x.node = own AND x.turn = s.turn RETURNING x.turn INTO given;
  ELSIF s.node = own OR s.until <= wall THEN
    UPDATE chinwag.sender x SET node = own, until = wall + term, turn = x.turn + 1
    WHERE x.turn = s.turn AND (x.node = own OR x.until <= wall) RETURNING x.turn INTO given;
  END IF;
  IF given IS NOT NULL THEN
    DELETE FROM chinwag.sender_settings x WHERE NOT EXISTS (SELECT 1 FROM chinwag.node n WHERE n.id = x.node) AND x.node <> own;
    -- Whatever all are past goes, but for what a dead letter has; and the oldest, if there are too many.
    IF s.place - s.gone > entries_max THEN
      UPDATE chinwag.sender x SET gone = greatest(x.gone, x.place - entries_max) RETURNING x.gone INTO done;
      DELETE FROM chinwag.outgoing o WHERE o.place <= done;
    END IF;
    -- Not each time: what dead letters have is looked at, too.
    IF wall / 1000 % 10 = 0 THEN PERFORM chinwag.forget_told_1(wall - kept_for); END IF;
  END IF;
  RETURN QUERY SELECT given, s.version,
    (SELECT bit_or(w.events) FROM chinwag.webhook w WHERE w.ended IS NULL),
    EXISTS (SELECT 1 FROM chinwag.outgoing o WHERE o.place IS NULL),
    (SELECT string_agg(DISTINCT x.name, ', ') FROM chinwag.sender_settings x JOIN chinwag.node n ON n.id = x.node
     WHERE x.node <> own AND x.settings <> own_settings);
END
$$;

-- Puts what is new into the order, if it is this node's turn: up to where entries have gone, NULL if it is not.
CREATE OR REPLACE FUNCTION chinwag.order_1(own bigint, known_turn bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  lost bigint;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  SELECT s.gone INTO lost FROM chinwag.sender s WHERE s.node = own AND s.turn = known_turn FOR UPDATE;
  IF FOUND THEN PERFORM chinwag.place_1(); END IF;
  RETURN lost;
END
$$;

-- What has become of what was sent, if it is still this node's turn; whether it is. `acts` of letters: 0 another one, 1
-- the one of this id was delivered, 2 it was not, this time either. What is repeated changes nothing.
CREATE OR REPLACE FUNCTION chinwag.sent_1(
  own bigint, known_turn bigint,
  names text[], ats bigint[], places bigint[], to_places bigint[], attempts bigint[], next_ats bigint[], endeds text[],
  acts bigint[], ids bigint[], webhooks text[], letter_ats bigint[], lows bigint[], highs bigint[], events bigint[],
  whys text[]
) RETURNS boolean
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  letters_max CONSTANT bigint := 1000;
  l record;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  PERFORM 1 FROM chinwag.sender s WHERE s.node = own AND s.turn = known_turn FOR UPDATE;
  IF NOT FOUND THEN RETURN false; END IF;
  UPDATE chinwag.webhook w SET place = u.place, to_place = u.to_place, attempts = u.attempts, next_at = u.next_at,
    ended = u.ended
  FROM unnest(names, ats, places, to_places, sent_1.attempts, next_ats, endeds)
    AS u(name, at, place, to_place, attempts, next_at, ended)
  WHERE w.name = u.name AND w.at = u.at;
  FOR l IN
    SELECT u.* FROM unnest(acts, ids, webhooks, letter_ats, lows, highs, sent_1.events, whys) WITH ORDINALITY
      AS u(act, id, webhook, at, low, high, events, why, nth) ORDER BY u.nth
  LOOP
    IF l.act = 0 THEN
      INSERT INTO chinwag.dead_letter (webhook, at, low, high, events, why)
      SELECT l.webhook, l.at, l.low, l.high, l.events, l.why
      WHERE EXISTS (SELECT 1 FROM chinwag.webhook w WHERE w.name = l.webhook)
        AND NOT EXISTS (SELECT 1 FROM chinwag.dead_letter d
          WHERE d.webhook = l.webhook AND (d.at, d.low, d.high, d.events) = (l.at, l.low, l.high, l.events));
      DELETE FROM chinwag.dead_letter d WHERE d.webhook = l.webhook AND d.id <= (
        SELECT x.id FROM chinwag.dead_letter x WHERE x.webhook = l.webhook ORDER BY x.id DESC OFFSET letters_max LIMIT 1);
    ELSIF l.act = 1 THEN
      DELETE FROM chinwag.dead_letter d WHERE d.id = l.id;
    ELSE
      UPDATE chinwag.dead_letter d SET again = false, why = l.why WHERE d.id = l.id;
    END IF;
  END LOOP;
  RETURN true;
END
$$;

-- What a command does with the webhook of a name: 0 adds it, 1 ends it, 2 gives it another secret, 3 has what could not be
-- delivered tried again. A number of dead letters or 0; -1 there is none of that name, -2 there is one, -3 there are too
-- many.
CREATE OR REPLACE FUNCTION chinwag.webhook_1(
  act bigint, name text, url text, rooms text, events bigint, "except" text, secret text, until bigint, most bigint,
  noted text
) RETURNS bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  wall bigint := (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
  done bigint := 0;
BEGIN
  PERFORM 1 FROM chinwag.sender s FOR UPDATE;
  IF act = 0 THEN
    IF (SELECT count(*) FROM chinwag.webhook) >= most THEN RETURN -3; END IF;
    -- It is told of nothing that was before.
    WHILE chinwag.place_1() > 0 LOOP END LOOP;
    INSERT INTO chinwag.webhook AS w (name, url, rooms, patterns, events, "except", signs, at, place)
    SELECT name, url, rooms,
      string_to_array(replace(replace(replace(replace(rooms, '\', '\\'), '_', '\_'), '%', '\%'), '*', '%'), ' '),
      events, "except", secret, wall, s.place
    FROM chinwag.sender s ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN RETURN -2; END IF;
  ELSIF act = 1 THEN
    DELETE FROM chinwag.dead_letter d WHERE d.webhook = name;
    DELETE FROM chinwag.webhook w WHERE w.name = name;
    IF NOT FOUND THEN RETURN -1; END IF;
  ELSIF act = 2 THEN
    UPDATE chinwag.webhook w SET former = w.signs, former_until = until, signs = secret WHERE w.name = name;
    IF NOT FOUND THEN RETURN -1; END IF;
  ELSE
    UPDATE chinwag.webhook w SET ended = NULL, attempts = 0, next_at = 0, revived = w.revived + 1 WHERE w.name = name;
    IF NOT FOUND THEN RETURN -1; END IF;
    DELETE FROM chinwag.dead_letter d WHERE d.webhook = name AND d.low = d.high;
    UPDATE chinwag.dead_letter d SET again = true WHERE d.webhook = name;
    GET DIAGNOSTICS done = ROW_COUNT;
  END IF;
  UPDATE chinwag.sender SET version = version + 1;
  IF noted IS NOT NULL THEN
    INSERT INTO chinwag.audit (at, "by", act, whom, room) VALUES (wall, NULL, noted, name, NULL);
  END IF;
  RETURN done;
END
$$;
