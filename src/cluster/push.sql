-- Web Push, added to the schema of version 1: each statement does nothing where that is there already.
--
-- What a device is to be told is entered in the transaction in which the message is stored, so that it outlives every
-- node. One node at a time has the turn to send: it finds what is due, and says what has become of it.

-- The devices that are told.
CREATE TABLE IF NOT EXISTS chinwag.push (
  id bigint PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  login bigint,                          -- with which it ends, if its user has an account
  endpoint text COLLATE "C" NOT NULL UNIQUE,
  p256dh text NOT NULL,                  -- the device's public key, hexadecimal
  auth text NOT NULL,                    -- what it shares with the cluster, likewise
  agent text NOT NULL,
  at bigint NOT NULL,
  changed bigint NOT NULL DEFAULT 0      -- its number among the changes of people: nodes read it as one of their rows
);
CREATE INDEX IF NOT EXISTS push_at ON chinwag.push (changed);
CREATE INDEX IF NOT EXISTS push_name ON chinwag.push (name, id);
CREATE INDEX IF NOT EXISTS push_login ON chinwag.push (login, id) WHERE login IS NOT NULL;

-- Messages of which devices are to be told, or were told and were not read yet.
CREATE TABLE IF NOT EXISTS chinwag.push_news (
  device bigint NOT NULL,
  room bigint NOT NULL,
  seq bigint NOT NULL,
  waits boolean NOT NULL,                -- the user was active when it came: it is told when that is over
  turn bigint NOT NULL DEFAULT 0,        -- the turn in which it was last handed to the one that sends
  told boolean NOT NULL DEFAULT false,
  shown text COLLATE "C",                -- the name that its room had when it was handed out; not of a conversation
  PRIMARY KEY (device, room, seq)
) WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS push_news_untold ON chinwag.push_news (device, room, seq DESC) WHERE NOT told;

-- Who sends: one row.
CREATE TABLE IF NOT EXISTS chinwag.push_sender (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  node bigint NOT NULL DEFAULT 0,
  until bigint NOT NULL DEFAULT 0,       -- unless it is claimed anew, by the engine's clock
  turn bigint NOT NULL DEFAULT 0         -- rises whenever it is another one that sends, or the same begins anew
) WITH (fillfactor = 50);
INSERT INTO chinwag.push_sender DEFAULT VALUES ON CONFLICT DO NOTHING;

-- Whoever ends a login ends its devices: they may be in other hands by now.
CREATE OR REPLACE FUNCTION chinwag.push_login_over_1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM chinwag.push d WHERE d.login = OLD.key::bigint;
  RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER push_login_over AFTER DELETE ON chinwag.people FOR EACH ROW
  WHEN (OLD.kind = 2) EXECUTE FUNCTION chinwag.push_login_over_1();

CREATE OR REPLACE FUNCTION chinwag.push_over_1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM chinwag.push_news n WHERE n.device = OLD.id;
  RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER push_over AFTER DELETE ON chinwag.push
  FOR EACH ROW EXECUTE FUNCTION chinwag.push_over_1();

-- Devices are read with people, as rows of kind 11: what has changed of them, and which ones are gone (change_people.sql).
CREATE OR REPLACE FUNCTION chinwag.push_changed_1() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  number bigint;
BEGIN
  SELECT m.value::bigint + 1 INTO number FROM chinwag.meta m WHERE m.key = 'people' FOR UPDATE;
  IF TG_OP = 'DELETE' THEN
    INSERT INTO chinwag.people_gone VALUES (11, OLD.id::text, number,
      (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
    ON CONFLICT ON CONSTRAINT people_gone_pkey DO UPDATE SET changed = excluded.changed, at = excluded.at;
    RETURN OLD;
  ELSIF TG_OP = 'INSERT' THEN
    -- From here on there may be somebody who sends.
    UPDATE chinwag.push_sender s SET until = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
    WHERE s.until < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 86400000;
  END IF;
  NEW.changed := number;
  RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER push_changed BEFORE INSERT OR UPDATE OR DELETE ON chinwag.push
  FOR EACH ROW EXECUTE FUNCTION chinwag.push_changed_1();

-- What chinwag.people_1 does about devices, whose row of `meta` is locked: 20 there is such a device, for which those make
-- room that have its endpoint, and the oldest of its login and of its user (model::push has the bounds); 21 it goes; 22 the
-- key by which push services know the cluster is this one, unless there is one.
CREATE OR REPLACE FUNCTION chinwag.push_change_1(act bigint, key text, numbers bigint[], texts text[]) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  of_user CONSTANT bigint := 16;
  of_login CONSTANT bigint := 2;
  of_all CONSTANT bigint := 20000;
BEGIN
  IF act = 20 THEN
    DELETE FROM chinwag.push d WHERE d.endpoint = texts[2];
    DELETE FROM chinwag.push d WHERE d.id IN (
      SELECT x.id FROM chinwag.push x WHERE x.login = numbers[2] ORDER BY x.id DESC OFFSET of_login - 1);
    DELETE FROM chinwag.push d WHERE d.id IN (
      SELECT x.id FROM chinwag.push x WHERE x.name = texts[1] ORDER BY x.id DESC OFFSET of_user - 1);
    INSERT INTO chinwag.push (id, name, login, endpoint, p256dh, auth, agent, at)
    SELECT key::bigint, texts[1], numbers[2], texts[2], texts[3], texts[4], texts[5], numbers[1]
    WHERE (numbers[2] IS NULL OR EXISTS (SELECT 1 FROM chinwag.people p WHERE p.kind = 2 AND p.key = numbers[2]::text))
      AND (SELECT count(*) FROM chinwag.push) < of_all
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN RAISE EXCEPTION 'somebody else was first' USING ERRCODE = 'CW001'; END IF;
  ELSIF act = 21 THEN
    DELETE FROM chinwag.push d WHERE d.id = key::bigint;
  ELSIF act = 22 THEN
    INSERT INTO chinwag.meta VALUES ('push key', texts[1]) ON CONFLICT DO NOTHING;
  ELSE
    RAISE EXCEPTION 'there is no act %', act;
  END IF;
END
$$;

-- What may be the names that a text mentions, and `room` if it may be all of the room: more than it does, and nothing less.
-- chat::model::mentions says which ones are. Names end where no letter does, or where no ASCII letter does; a database whose
-- locale knows no other letters does not fold their case either.
CREATE OR REPLACE FUNCTION chinwag.push_named_1(text text) RETURNS text[]
LANGUAGE sql STABLE AS $$
  SELECT coalesce(array_agg(DISTINCT n.name), '{}') FROM (
    SELECT lower(normalize(push_named_1.text, NFKC)) AS folded) AS t
  CROSS JOIN unnest(ARRAY['@([a-z0-9._-]+)', '@([[:alnum:]._-]+)',
    '@([^\x01-\x2c\x2f\x3a-\x5e\x60\x7b-\x7f]+)']) AS p(pattern)
  CROSS JOIN LATERAL regexp_matches(t.folded, p.pattern, 'g') AS m
  CROSS JOIN LATERAL (VALUES (rtrim(m[1], '.-')), (regexp_replace(rtrim(m[1], '.-'), '_$', ''))) AS n(name)
$$;

-- Messages are entered in the transaction that stores them, of each room those of the seqs from `lows` to `highs`: direct
-- ones for the other one, others for whom they may name; not for who has blocked the author or is suspended. Nothing is
-- entered if no node has sent anything for a day: it would only become more.
CREATE OR REPLACE FUNCTION chinwag.push_entered_2(room_ids bigint[], lows bigint[], highs bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  wall bigint := (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM chinwag.push)
    OR EXISTS (SELECT 1 FROM chinwag.push_sender s WHERE s.until BETWEEN 1 AND wall - 86400000)
  THEN RETURN; END IF;
  WITH new_rows AS MATERIALIZED (
    SELECT x.room, x.seq, x.sender, x.text, r.name FROM unnest(room_ids, lows, highs) AS u(room, low, high)
    JOIN chinwag.room r ON r.id = u.room CROSS JOIN LATERAL (SELECT * FROM chinwag.record y
      WHERE y.room = u.room AND y.seq BETWEEN u.low AND u.high OFFSET 0) AS x
    WHERE x.kind = 0 AND (r.name LIKE '@%' OR strpos(x.text, '@') > 0)
  )
  INSERT INTO chinwag.push_news (device, room, seq, waits)
  -- A session that is live is asked for in words that no index of live ones answers, so that it is found by its name:
  -- a plan of when there were few would go through all of them.
  SELECT d.id, u.room, u.seq, coalesce((SELECT true FROM chinwag.session s
    WHERE s.name = u.name AND coalesce(s.ended, 0) = 0 AND NOT s.away
      AND EXISTS (SELECT 1 FROM chinwag.node n WHERE n.id = s.node) LIMIT 1), false)
  FROM (
    SELECT x.room, x.seq, x.sender, CASE WHEN split_part(substr(x.name, 2), ':', 1) = x.sender
      THEN split_part(x.name, ':', 2) ELSE split_part(substr(x.name, 2), ':', 1) END AS name
    FROM new_rows x WHERE x.name LIKE '@%'
    UNION
    SELECT x.room, x.seq, x.sender, m.name
    FROM new_rows x
    CROSS JOIN LATERAL (SELECT chinwag.push_named_1(x.text) AS names OFFSET 0) AS t
    CROSS JOIN LATERAL (
      SELECT k.name FROM unnest(t.names) AS k(name)
      UNION
      SELECT o.name FROM chinwag.member o WHERE o.room = x.room AND 'room' = ANY (t.names)) AS k
    JOIN chinwag.member m ON m.room = x.room AND m.name = k.name
    WHERE x.name NOT LIKE '@%'
  ) AS u
  CROSS JOIN LATERAL (SELECT * FROM chinwag.push y WHERE y.name = u.name OFFSET 0) AS d
  WHERE u.name <> u.sender
    AND NOT EXISTS (SELECT 1 FROM chinwag.people p WHERE p.kind = 7 AND p.key = u.name || ' ' || u.sender)
    AND NOT EXISTS (SELECT 1 FROM chinwag.people p WHERE p.kind = 5 AND p.key = 'user ' || u.name
      AND (p.numbers[1] IS NULL OR p.numbers[1] > wall))
  ON CONFLICT DO NOTHING;
END
$$;

-- What is told of records that were just stored; whoever stores them looks whether there is anybody. An engine that is just
-- being given this has the triggers that did it before (without_triggers.sql): then they have.
CREATE OR REPLACE FUNCTION chinwag.heard_1(room_ids bigint[], lows bigint[], highs bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t
    WHERE t.tgrelid = 'chinwag.record'::pg_catalog.regclass AND t.tgname = 'record_entered')
  THEN RETURN; END IF;
  PERFORM chinwag.enter_records_2(room_ids, lows, highs);
  PERFORM chinwag.push_entered_2(room_ids, lows, highs);
END
$$;

-- The node `own` wants to send for `term` milliseconds; `known_turn` is its turn, if it does already. Nothing, if another
-- node sends. Otherwise a row of kind 0: its turn, and behind which device it is to look next; rows of kind 1: what is due,
-- at most `most`; rows of kind 2: that a user has read a room up to there, of which something may be on its way.
--
-- Due is the last message of each room of a device, if none of its user's sessions is active. Of what came while one was,
-- it is when `grace` milliseconds are over since the last one ended. Nothing waits for a standby: what is lost is sent once
-- more.
CREATE OR REPLACE FUNCTION chinwag.push_send_1(
  own bigint, known_turn bigint, term bigint, grace bigint, behind bigint, most bigint
) RETURNS TABLE (
  kind bigint, number bigint, seq bigint, unread bigint, device bigint, at bigint, name text, endpoint text, p256dh text,
  auth text, room text, sender text, text text, read text
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  looked_max CONSTANT bigint := 1000;
  -- Of one device; and messages of one room of it, since the last may turn out to name nobody.
  rooms_max CONSTANT bigint := 32;
  room_max CONSTANT bigint := 8;
  unread_max CONSTANT bigint := 100;
  wall bigint := (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
  s chinwag.push_sender;
  d chinwag.push;
  c record;
  given bigint;
  looked bigint := 0;
  sent bigint := 0;
  rooms bigint := 0;
  nth bigint := 0;
  last_device bigint := -1;
  last_room bigint := -1;
  is_active boolean;
  is_gone boolean;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM chinwag.push) THEN RETURN; END IF;
  SELECT * INTO s FROM chinwag.push_sender;
  PERFORM set_config('synchronous_commit', 'off', true);
  IF s.node = own AND s.turn = known_turn THEN
    UPDATE chinwag.push_sender x SET until = wall + term WHERE x.node = own AND x.turn = s.turn RETURNING x.turn INTO given;
  ELSIF s.node = own OR s.until <= wall THEN
    UPDATE chinwag.push_sender x SET node = own, until = wall + term, turn = x.turn + 1
    WHERE x.turn = s.turn AND (x.node = own OR x.until <= wall) RETURNING x.turn INTO given;
  END IF;
  IF given IS NULL THEN RETURN; END IF;
  FOR c IN
    SELECT n.device, n.room, n.seq, n.waits, n.turn, n.shown, r.name AS room_name, m.read, p.name AS user_name,
      r.id IS NULL OR r.name NOT LIKE '@%' AND m.name IS NULL
        OR NOT EXISTS (SELECT 1 FROM chinwag.record y WHERE y.room = n.room AND y.seq = n.seq AND y.kind = 0) AS is_over
    FROM (SELECT f.device, f.room, f.seq, f.waits, f.turn, f.shown FROM chinwag.push_news f WHERE NOT f.told AND f.device > behind
      ORDER BY f.device, f.room, f.seq DESC LIMIT looked_max) AS n
    JOIN chinwag.push p ON p.id = n.device
    LEFT JOIN chinwag.room r ON r.id = n.room
    LEFT JOIN chinwag.member m ON m.room = n.room AND m.name = p.name
    ORDER BY n.device, n.room, n.seq DESC
  LOOP
    EXIT WHEN sent >= most AND most > 0;
    looked := looked + 1;
    IF c.device <> last_device THEN
      last_device := c.device; last_room := -1; rooms := 0;
      is_active := EXISTS (SELECT 1 FROM chinwag.session x WHERE x.name = c.user_name AND coalesce(x.ended, 0) = 0 AND NOT x.away
        AND EXISTS (SELECT 1 FROM chinwag.node n WHERE n.id = x.node));
      -- Whoever is away elsewhere comes back to what it sees; others may just load their page anew.
      is_gone := NOT is_active AND (NOT EXISTS (SELECT 1 FROM chinwag.session x
          WHERE x.name = c.user_name AND x.ended > wall - grace)
        OR EXISTS (SELECT 1 FROM chinwag.session x WHERE x.name = c.user_name AND coalesce(x.ended, 0) = 0
          AND EXISTS (SELECT 1 FROM chinwag.node n WHERE n.id = x.node)));
    END IF;
    IF c.room <> last_room THEN
      last_room := c.room; rooms := rooms + 1; nth := 0;
    END IF;
    nth := nth + 1;
    IF c.is_over OR c.read >= c.seq OR c.turn <> given AND (nth > room_max OR rooms > rooms_max) THEN
      DELETE FROM chinwag.push_news n WHERE n.device = c.device AND n.room = c.room AND n.seq = c.seq;
      IF c.turn = given AND coalesce(c.shown, c.room_name) IS NOT NULL THEN
        RETURN QUERY SELECT 2::bigint, NULL::bigint, greatest(c.seq, c.read), NULL::bigint, NULL::bigint, NULL::bigint,
          c.user_name, NULL::text, NULL::text, NULL::text, coalesce(c.shown, c.room_name), NULL::text, NULL::text, NULL::text;
      END IF;
      nth := nth - 1;
      CONTINUE;
    END IF;
    -- Of a room the last one only; what is on its way already is not sent again.
    CONTINUE WHEN nth > 1 OR c.turn = given OR is_active OR c.waits AND NOT is_gone OR most = 0;
    UPDATE chinwag.push_news n SET turn = given,
      shown = CASE WHEN n.seq = c.seq AND c.room_name NOT LIKE '@%' THEN c.room_name ELSE n.shown END
    WHERE n.device = c.device AND n.room = c.room AND n.seq <= c.seq AND NOT n.told;
    sent := sent + 1;
    SELECT * INTO d FROM chinwag.push x WHERE x.id = c.device;
    RETURN QUERY
      -- What was told and has been read since is told with the next one, once; so is what was left or is no more, and
      -- what this one does not replace, since its room had another name.
      WITH old AS (DELETE FROM chinwag.push_news n USING chinwag.push_news o
        LEFT JOIN chinwag.room r ON r.id = o.room
        LEFT JOIN chinwag.member m ON m.room = o.room AND m.name = d.name
        WHERE n.device = c.device AND n.told AND o.device = n.device AND o.room = n.room AND o.seq = n.seq
          AND (CASE WHEN o.room = c.room THEN o.shown <> c.room_name ELSE r.id IS NULL OR m.read >= o.seq
            OR r.name NOT LIKE '@%' AND m.name IS NULL END)
        RETURNING coalesce(n.shown, r.name) AS shown, greatest(n.seq, m.read) AS read)
      SELECT 1::bigint, NULL::bigint, c.seq,
        (SELECT count(*) FROM (SELECT 1 FROM chinwag.record y WHERE y.room = c.room AND y.seq > coalesce(c.read, 0)
          AND y.kind = 0 AND y.sender <> d.name LIMIT unread_max) AS unread),
        d.id, d.at, d.name, d.endpoint, d.p256dh, d.auth, c.room_name, y.sender, y.text,
        (SELECT string_agg(o.shown || ' ' || o.read, ' ') FROM (
          SELECT x.shown, max(x.read) AS read FROM old x WHERE x.shown IS NOT NULL GROUP BY x.shown LIMIT rooms_max) AS o)
      FROM chinwag.record y WHERE y.room = c.room AND y.seq = c.seq;
  END LOOP;
  -- The last device is looked at again: there may be more of it.
  RETURN QUERY SELECT 0::bigint, given,
    CASE WHEN sent >= most AND most > 0 OR looked >= looked_max THEN last_device - 1 END,
    NULL::bigint, NULL::bigint, NULL::bigint, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text,
    NULL::text, NULL::text;
END
$$;

-- What has become of what was handed out, if it is still this node's turn; whether it is. `acts`: 0 the message names
-- nobody, 1 the device was told, 2 it was given up to tell the device what was handed out for it. Rooms are named as they
-- were when it was handed out.
CREATE OR REPLACE FUNCTION chinwag.push_sent_1(
  own bigint, known_turn bigint, acts bigint[], devices bigint[], rooms text[], seqs bigint[]
) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  told_max CONSTANT bigint := 32;
  l record;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  PERFORM 1 FROM chinwag.push_sender s WHERE s.node = own AND s.turn = known_turn FOR UPDATE;
  IF NOT FOUND THEN RETURN false; END IF;
  FOR l IN
    SELECT u.act, u.device, u.seq, coalesce((SELECT r.id FROM chinwag.room r WHERE r.name = u.room),
      (SELECT f.room FROM chinwag.former f WHERE f.name = u.room)) AS room
    FROM unnest(acts, devices, rooms, seqs) WITH ORDINALITY AS u(act, device, room, seq, nth) ORDER BY u.nth
  LOOP
    IF l.act = 0 THEN
      DELETE FROM chinwag.push_news n WHERE n.device = l.device AND n.room = l.room AND n.seq = l.seq;
      UPDATE chinwag.push_news n SET turn = 0
      WHERE n.device = l.device AND n.room = l.room AND n.seq < l.seq AND NOT n.told;
    ELSIF l.act = 1 THEN
      DELETE FROM chinwag.push_news n WHERE n.device = l.device AND n.room = l.room AND n.seq < l.seq;
      UPDATE chinwag.push_news n SET told = true WHERE n.device = l.device AND n.room = l.room AND n.seq = l.seq;
      DELETE FROM chinwag.push_news n WHERE n.device = l.device AND n.told AND (n.room, n.seq) IN (
        SELECT x.room, x.seq FROM chinwag.push_news x WHERE x.device = l.device AND x.told
        ORDER BY (SELECT y.at FROM chinwag.record y WHERE y.room = x.room AND y.seq = x.seq) DESC NULLS LAST,
          x.room, x.seq OFFSET told_max);
    ELSE
      DELETE FROM chinwag.push_news n WHERE n.device = l.device AND n.turn = known_turn AND NOT n.told;
    END IF;
  END LOOP;
  RETURN true;
END
$$;

