-- Rooms and what is kept of them beside their records.

-- One fact about a room, instead of the last one of its kind (and name); the room's row has to be locked. `numbers` has
-- four, `texts` three:
-- kind 0 access: private, owned; policy · 1 topic: its text, by whom · 2 member: role, recv, read, joined; nothing,
-- nothing, what the name looks like, if that is another text · 3 no member · 4 restriction: kind, until, at; reason, by ·
-- 5 no restriction: kind
--
-- What is so already changes nothing. A membership that another node has changed since version `known` (if it is given)
-- keeps its role, and does not come back.
CREATE FUNCTION chinwag.fact_1(
  room bigint, kind bigint, name text, numbers bigint[], texts text[], node bigint, known bigint
) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  is_right boolean := false;
  sub bigint := 0;
  was chinwag.member;
  done record;
BEGIN
  IF kind = 0 THEN
    UPDATE chinwag.room r SET private = numbers[1] = 1, owned = numbers[2] = 1, policy = texts[1]
    WHERE r.id = room AND (r.private, r.owned, r.policy) IS DISTINCT FROM (numbers[1] = 1, numbers[2] = 1, texts[1]);
    is_right := true;
  ELSIF kind = 1 THEN
    UPDATE chinwag.room r SET topic = texts[1], topic_by = texts[2]
    WHERE r.id = room AND (r.topic, r.topic_by) IS DISTINCT FROM (texts[1], texts[2]);
  ELSIF kind = 2 THEN
    SELECT * INTO was FROM chinwag.member x WHERE x.room = room AND x.name = name;
    IF known IS NOT NULL AND EXISTS (SELECT 1 FROM chinwag.change c WHERE c.room = room AND c.name = name
      AND c.kind = 2 AND c.version > known AND c.node <> node)
    THEN
      IF was.joined IS DISTINCT FROM numbers[4] THEN RETURN; END IF;
      numbers[1] := was.role;
    END IF;
    IF texts[3] IS NOT NULL THEN
      INSERT INTO chinwag.lookalike VALUES (0, texts[3], name) ON CONFLICT DO NOTHING;
    END IF;
    INSERT INTO chinwag.member AS x VALUES (room, name, numbers[1], numbers[2], numbers[3], numbers[4])
    ON CONFLICT ON CONSTRAINT member_pkey DO UPDATE SET role = excluded.role, joined = excluded.joined,
      -- Marks of one membership never go back, whichever node has them.
      recv = CASE WHEN x.joined = excluded.joined THEN greatest(x.recv, excluded.recv) ELSE excluded.recv END,
      read = CASE WHEN x.joined = excluded.joined THEN greatest(x.read, excluded.read) ELSE excluded.read END
    WHERE x.role <> excluded.role OR x.recv < excluded.recv OR x.read < excluded.read OR x.joined <> excluded.joined;
    is_right := was.role <> numbers[1];
  ELSIF kind = 3 THEN
    DELETE FROM chinwag.member x WHERE x.room = room AND x.name = name;
    is_right := true;
  ELSIF kind = 4 THEN
    INSERT INTO chinwag.restriction AS x (room, name, kind, until, at, reason, "by")
    VALUES (room, name, numbers[1], numbers[2], numbers[3], texts[1], texts[2])
    ON CONFLICT ON CONSTRAINT restriction_pkey DO UPDATE
      SET until = excluded.until, at = excluded.at, reason = excluded.reason, "by" = excluded."by"
    WHERE (x.until, x.at, x.reason, x."by") IS DISTINCT FROM (excluded.until, excluded.at, excluded.reason, excluded."by");
  ELSIF kind = 5 THEN
    DELETE FROM chinwag.restriction x WHERE x.room = room AND x.name = name AND x.kind = numbers[1];
  ELSE
    RAISE EXCEPTION 'there is no fact of kind %', kind;
  END IF;
  IF NOT FOUND THEN RETURN; END IF;
  IF kind = 3 THEN
    kind := 2;
  ELSIF kind IN (4, 5) THEN
    kind := 4;
    sub := numbers[1];
    is_right := sub IN (0, 1, 3);
  END IF;
  is_right := coalesce(is_right, false);
  UPDATE chinwag.room x SET facts = x.facts + 1, version = x.version + is_right::integer WHERE x.id = room
  RETURNING x.facts, x.version INTO done;
  INSERT INTO chinwag.change AS x VALUES (room, CASE WHEN kind < 2 THEN '' ELSE name END, kind, sub, done.facts,
    CASE WHEN is_right THEN done.version ELSE 0 END, node)
  ON CONFLICT ON CONSTRAINT change_pkey DO UPDATE
    SET facts = excluded.facts, version = greatest(x.version, excluded.version), node = excluded.node;
END
$$;

-- Facts without records, in their order; those of rooms that have another epoch by now are passed over. `knowns` are the
-- versions that the node knew; each fact has four `numbers` and three `texts`.
CREATE FUNCTION chinwag.facts_1(
  room_ids bigint[], epochs bigint[], knowns bigint[], kinds bigint[], names text[], numbers bigint[], texts text[],
  node bigint
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  f record;
BEGIN
  PERFORM 1 FROM chinwag.room r WHERE r.id = ANY (room_ids) ORDER BY r.id FOR NO KEY UPDATE;
  FOR f IN
    SELECT u.* FROM unnest(room_ids, epochs, knowns, kinds, names) WITH ORDINALITY AS u(room, epoch, known, kind, name, at)
    WHERE EXISTS (SELECT 1 FROM chinwag.room r WHERE r.id = u.room AND r.epoch = u.epoch) ORDER BY u.at
  LOOP
    PERFORM chinwag.fact_1(f.room, f.kind, f.name, numbers[f.at * 4 - 3 : f.at * 4], texts[f.at * 3 - 2 : f.at * 3],
      node, f.known);
  END LOOP;
END
$$;

-- What earlier programs ask for in place of chinwag.drop_2.
CREATE FUNCTION chinwag.drop_1(room_id bigint, room_epoch bigint, node bigint, known bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  RETURN chinwag.drop_2(room_id, room_epoch, node, known);
END
$$;

-- A log is shorter, or has another last record, than was told: it goes on under another epoch, unless somebody has seen
-- to that already.
CREATE FUNCTION chinwag.renew_1(room_id bigint, old_epoch bigint, new_epoch bigint) RETURNS void
LANGUAGE sql AS $$
  UPDATE chinwag.room SET epoch = new_epoch, version = version + 1 WHERE id = room_id AND epoch = old_epoch
$$;

-- The oldest records of a log go, `at_most` of them, if they are older than `before`, more than `records`, or have more
-- than `bytes` together (each may be NULL): the first seq that is still there. A room in which somebody writes just now
-- is left for later.
CREATE FUNCTION chinwag.prune_1(room_id bigint, before bigint, records bigint, bytes bigint, at_most bigint)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  r chinwag.room;
  f chinwag.record;
  upto bigint;
  left_bytes bigint;
  freed bigint;
BEGIN
  SELECT * INTO r FROM chinwag.room x WHERE x.id = room_id FOR NO KEY UPDATE SKIP LOCKED;
  IF NOT FOUND THEN RETURN NULL; END IF;
  upto := r.oldest - 1;
  left_bytes := r.bytes;
  FOR f IN
    SELECT * FROM chinwag.record x WHERE x.room = room_id AND x.seq >= r.oldest ORDER BY x.seq LIMIT at_most
  LOOP
    EXIT WHEN NOT coalesce(f.at < before, false) AND NOT coalesce(r.head - f.seq >= records, false)
      AND NOT coalesce(left_bytes > bytes, false);
    upto := f.seq;
    left_bytes := left_bytes - coalesce(octet_length(f.text), 0) - coalesce(octet_length(f.data), 0);
  END LOOP;
  IF upto < r.oldest THEN RETURN r.oldest; END IF;
  INSERT INTO chinwag.sent SELECT x.room, x.sender, x.cid, x.seq, x.at,
    chinwag.said_1(x.text, x.data, x.reply_to, x.thread)
  FROM chinwag.record x
  WHERE x.room = room_id AND x.seq BETWEEN r.oldest AND upto AND x.kind = 0 AND x.edited IS NULL AND x.cid IS NOT NULL
  ON CONFLICT DO NOTHING;
  DELETE FROM chinwag.record x WHERE x.room = room_id AND x.seq BETWEEN r.oldest AND upto;
  -- The text of an edit does not outlive its message.
  WITH cleared AS (
    UPDATE chinwag.record x SET text = NULL WHERE x.room = room_id AND x.target BETWEEN r.oldest AND upto AND x.kind = 2
      AND x.text IS NOT NULL
    RETURNING (SELECT octet_length(o.text) FROM chinwag.record o WHERE o.room = x.room AND o.seq = x.seq) AS bytes
  )
  SELECT coalesce(sum(c.bytes), 0) INTO freed FROM cleared c;
  UPDATE chinwag.room x SET oldest = upto + 1, bytes = greatest(0, left_bytes - freed) WHERE x.id = room_id;
  RETURN upto + 1;
END
$$;
