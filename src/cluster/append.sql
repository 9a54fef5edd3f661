-- The clock, in milliseconds.
CREATE OR REPLACE FUNCTION chinwag.wall_1() RETURNS bigint
LANGUAGE sql VOLATILE AS $$
  SELECT (date_part('epoch', clock_timestamp()) * 1000)::bigint
$$;

-- Appends a batch of records to the logs of rooms, in one transaction, and says what became of each.
--
-- VOLATILE and READ COMMITTED, several statements: each sees what was committed before it began, so that what is read
-- after the rows of the rooms are locked is current. They are locked in the order of their ids: batches never wait for
-- each other in a circle.
--
-- `room_ids` rise; `epochs` and `versions` are what the node knows of these rooms, `counts` and `sizes` the drafts of
-- each and the bytes of their texts and data. Each draft has the place of its room in `room_ids` and its own place among
-- the room's drafts, both from 1. No two of a batch have the same room, sender and `cid`.
--
-- A batch of new messages that refer to nothing is stored at once: `outcomes` is NULL, `seqs` are the heads that the rooms
-- had before, and `ats` the times of their new records. Otherwise one draft follows the other, as the one before has left
-- the room, and each has its outcome, seq and time:
-- 0 stored, 1 duplicate (seq and time of the first), 2 conflict (its seq), 3 unknown (it was asked only),
-- 4 no such message, 5 not yours, 6 too old, 7 too large (seq: the bytes that are kept beside), 8 no such `reply_to`
-- (with the seq -1: no such file of the sender's, which a program that does not know of files refuses, too),
-- 9 no such `thread` (with the seq of the first message of the thread that it is in, if it is a message of one), 10 another node has changed the sender's rights since that version, or the room's name, 11 the epoch
-- has ended, 12 the name that the room is to have is another room's
--
-- What an edit or a deletion does to other records, and what makes a record one without effect, is what
-- `chat::model::edits` says; the contract suite compares them.
CREATE OR REPLACE FUNCTION chinwag.append_1(
  room_ids bigint[], epochs bigint[], versions bigint[], counts bigint[], sizes bigint[],
  slots bigint[], nths bigint[], senders text[], texts text[], datas text[], cids text[], weights bigint[],
  -- NULL if all drafts are messages that refer to nothing.
  kinds bigint[], targets bigint[], whos text[], numbers bigint[], reply_tos bigint[], threads bigint[],
  others bigint[], not_befores bigint[], data_maxes bigint[], questions bigint[],
  -- What changes with a record: the place of its draft, from 1, and what chinwag.fact_1 takes.
  fact_places bigint[], fact_kinds bigint[], fact_names text[], fact_numbers bigint[], fact_texts text[],
  -- The weight of a record without any text, but for its sender's name.
  bare bigint,
  -- Whose drafts these are.
  node bigint,
  OUT outcomes smallint[], OUT seqs bigint[], OUT ats bigint[]
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  -- Five seconds: how far a room's time may be ahead of the clock (model::record::stamp).
  ahead_max CONSTANT bigint := 5000;
  wall bigint;
  latest bigint;
  known_epochs bigint[];
  known_versions bigint[];
  pruned boolean;
  is_heard boolean;
  d record;
  r chinwag.room;
  t chinwag.record;
  k record;
  result smallint;
  result_seq bigint;
  result_at bigint;
  freed bigint;
BEGIN
  -- Messages that refer to nothing, stored by the short way. What it locks and changes is of one subtransaction: a row that
  -- was locked by the transaction around it would need the list of both.
  IF kinds IS NULL THEN
    BEGIN
      IF array_length(slots, 1) = 1 THEN
        -- Behind a row that had to be waited for, what is set is computed anew: the time is not older than its.
        UPDATE chinwag.room r SET head = r.head + 1, bytes = r.bytes + sizes[1],
          at = CASE WHEN r.at - chinwag.wall_1() BETWEEN 1 AND ahead_max THEN r.at ELSE chinwag.wall_1() END
        WHERE r.id = room_ids[1] AND r.epoch = epochs[1] AND r.version = versions[1] AND r.oldest = 1
        RETURNING r.head, r.at INTO result_seq, result_at;
        IF FOUND THEN
          INSERT INTO chinwag.record (room, seq, at, weight, kind, sender, text, data, cid)
          VALUES (room_ids[1], result_seq, result_at, weights[1], 0, senders[1], texts[1], datas[1], cids[1])
          RETURNING EXISTS (SELECT 1 FROM chinwag.webhook) OR EXISTS (SELECT 1 FROM chinwag.push) INTO is_heard;
          IF is_heard THEN
            PERFORM chinwag.heard_1(room_ids, ARRAY[result_seq], ARRAY[result_seq]);
          END IF;
          seqs := ARRAY[result_seq - 1]; ats := ARRAY[result_at];
          RETURN;
        END IF;
      END IF;
      SELECT array_agg(epoch), array_agg(version), array_agg(head), array_agg(at), max(at), bool_or(oldest > 1)
      INTO known_epochs, known_versions, seqs, ats, latest, pruned
      FROM (SELECT * FROM chinwag.room WHERE id = ANY (room_ids) ORDER BY id FOR NO KEY UPDATE) AS locked;
      IF known_epochs = epochs AND known_versions = versions
        -- A message that was pruned answers by its `cid` still.
        AND (NOT pruned OR NOT EXISTS (
          SELECT 1 FROM unnest(slots, senders, cids) AS u(slot, sender, cid)
          JOIN chinwag.sent s ON s.room = room_ids[u.slot] AND s.sender = u.sender AND s.cid = u.cid))
      THEN
        -- Behind the lock, a batch that waited is not older than the one that it waited for: the clock is read after it.
        wall := chinwag.wall_1();
        IF latest > wall THEN
          SELECT array_agg(CASE WHEN last - wall BETWEEN 1 AND ahead_max THEN last ELSE wall END) INTO ats
          FROM unnest(ats) AS last;
        ELSE
          ats := array_fill(wall, ARRAY[array_length(ats, 1)]);
        END IF;
        INSERT INTO chinwag.record (room, seq, at, weight, kind, sender, text, data, cid)
        SELECT room_ids[u.slot], seqs[u.slot] + u.nth, ats[u.slot], u.weight, 0, u.sender, u.text, u.data, u.cid
        FROM unnest(slots, nths, weights, senders, texts, datas, cids)
          AS u(slot, nth, weight, sender, text, data, cid);
        UPDATE chinwag.room r SET head = r.head + u.count, at = u.at, bytes = r.bytes + u.size
        FROM unnest(room_ids, counts, ats, sizes) AS u(id, count, at, size) WHERE r.id = u.id;
        IF EXISTS (SELECT 1 FROM chinwag.webhook) OR EXISTS (SELECT 1 FROM chinwag.push) THEN
          PERFORM chinwag.heard_1(room_ids, array_agg(u.head + 1), array_agg(u.head + u.count))
          FROM unnest(seqs, counts) AS u(head, count);
        END IF;
        RETURN;
      END IF;
    EXCEPTION WHEN unique_violation THEN
      -- A `cid` is known: it is looked up below, and nothing of this has happened.
      NULL;
    END;
  END IF;

  PERFORM 1 FROM (SELECT * FROM chinwag.room WHERE id = ANY (room_ids) ORDER BY id FOR NO KEY UPDATE) AS locked;
  wall := chinwag.wall_1();
  is_heard := EXISTS (SELECT 1 FROM chinwag.webhook) OR EXISTS (SELECT 1 FROM chinwag.push);
  outcomes := '{}'; seqs := '{}'; ats := '{}';
  FOR d IN
    SELECT u.*, room_ids[u.slot] AS room, epochs[u.slot] AS epoch, versions[u.slot] AS version,
      coalesce(kinds[u.place], 0) AS kind, coalesce(questions[u.place], 0) AS question
    FROM unnest(slots, senders, texts, datas, cids, weights, targets, whos, numbers, reply_tos, threads, others,
      not_befores, data_maxes) WITH ORDINALITY
      AS u(slot, sender, text, data, cid, weight, target, who, number, reply_to, thread, others, not_before, data_max,
        place)
    WHERE u.place <= array_length(slots, 1)
  LOOP
    SELECT * INTO r FROM chinwag.room WHERE id = d.room;
    result := NULL; result_seq := NULL; result_at := NULL; t := NULL; freed := 0;
    IF d.cid IS NOT NULL THEN
      SELECT * INTO k FROM (
        SELECT f.seq, f.at, chinwag.said_1(f.text, f.data, f.reply_to, f.thread) AS said FROM chinwag.record f
        WHERE f.room = d.room AND f.sender = d.sender AND f.cid = d.cid AND f.cid IS NOT NULL
          AND f.kind = 0 AND f.edited IS NULL
        UNION ALL
        SELECT s.seq, s.at, s.said FROM chinwag.sent s
        WHERE s.room = d.room AND s.sender = d.sender AND s.cid = d.cid
      ) AS known LIMIT 1;
      IF FOUND THEN
        -- Nothing is known of what some have said that came from another store.
        result := CASE WHEN k.said = '' OR k.said = chinwag.said_1(d.text, d.data, d.reply_to, d.thread) THEN 1 ELSE 2 END;
        result_seq := k.seq; result_at := k.at;
      END IF;
    END IF;
    IF result IS NULL THEN
      result := CASE
        WHEN r.id IS NULL OR r.epoch <> d.epoch THEN 11
        WHEN d.question <> 0 THEN 3
        WHEN r.version <> d.version AND EXISTS (
          SELECT 1 FROM chinwag.change c WHERE c.room = d.room AND c.name IN (d.sender, '')
            AND c.version > d.version AND c.node <> append_1.node) THEN 10
        WHEN d.kind = 12 AND r.name <> d.data THEN 10
        WHEN d.reply_to IS NOT NULL AND NOT EXISTS (
          SELECT 1 FROM chinwag.record m WHERE m.room = d.room AND m.seq = d.reply_to AND m.kind = 0) THEN 8
        WHEN d.thread IS NOT NULL AND NOT EXISTS (
          SELECT 1 FROM chinwag.record m WHERE m.room = d.room AND m.seq = d.thread AND m.kind = 0 AND m.thread IS NULL)
          THEN 9
      END;
      IF result = 9 THEN
        SELECT m.thread INTO result_seq FROM chinwag.record m
        WHERE m.room = d.room AND m.seq = d.thread AND m.kind = 0;
      END IF;
    END IF;
    -- Locked against removal until the message refers to them.
    IF result IS NULL AND strpos(d.data, 'cwf_') > 0 THEN
      SELECT count(*) AS found INTO k FROM (SELECT 1 FROM chinwag.file f
        WHERE f.id = ANY (chinwag.file_references_1(d.data)) AND f.owner = d.sender FOR KEY SHARE) AS files;
      IF k.found < cardinality(chinwag.file_references_1(d.data)) THEN
        result := 8; result_seq := -1;
      END IF;
    END IF;
    -- The target of an edit, a deletion or a reaction: as model::edits::refusal says.
    IF result IS NULL AND d.target IS NOT NULL THEN
      SELECT * INTO t FROM chinwag.record m WHERE m.room = d.room AND m.seq = d.target;
      result := CASE
        WHEN t.seq IS NULL OR t.kind <> 0 THEN 4
        WHEN d.others = 0 AND t.sender <> d.sender THEN 5
        WHEN t.at < d.not_before THEN 6
        WHEN octet_length(t.data) > d.data_max THEN 7
      END;
      IF result = 7 THEN result_seq := octet_length(t.data); END IF;
    END IF;
    -- What is so already has no effect: as model::edits::repeats says.
    IF result IS NULL THEN
      k := NULL;
      IF d.kind = 4 THEN
        SELECT m.seq, m.at, m.number = d.number AS same INTO k FROM chinwag.record m
        WHERE m.room = d.room AND m.target = d.target AND m.sender = d.sender AND m.text = d.text AND m.kind = 4
        ORDER BY m.seq DESC LIMIT 1;
        IF NOT FOUND THEN SELECT t.seq, t.at, d.number = 1 AS same INTO k; END IF;
      ELSIF d.kind = 2 THEN
        SELECT m.seq, m.at, m.text = d.text AS same INTO k FROM chinwag.record m
        WHERE m.room = d.room AND m.target = d.target AND m.kind = 2 AND m.text IS NOT NULL
        ORDER BY m.seq DESC LIMIT 1;
        IF NOT FOUND THEN SELECT t.seq, t.at, t.text = d.text AS same INTO k; END IF;
      ELSIF d.kind = 5 AND r.topic = d.text THEN
        SELECT m.seq, m.at, true AS same INTO k FROM chinwag.record m
        WHERE m.room = d.room AND m.kind = 5 ORDER BY m.seq DESC LIMIT 1;
        IF NOT FOUND THEN SELECT r.head AS seq, r.at AS at, true AS same INTO k; END IF;
      ELSE
        SELECT NULL::bigint AS seq, NULL::bigint AS at, false AS same INTO k;
      END IF;
      IF k.same THEN
        result := 1; result_seq := k.seq; result_at := k.at;
      END IF;
    END IF;
    -- The fact that comes with another name says what it looks like.
    IF result IS NULL AND d.kind = 12 AND NOT chinwag.rename_1(d.room, d.text, d.data, (
      SELECT fact_texts[f.at * 3] FROM unnest(fact_places, fact_kinds) WITH ORDINALITY AS f(place, kind, at)
      WHERE f.place = d.place AND f.kind = 6))
    THEN
      result := 12;
    END IF;
    IF result IS NULL THEN
      result := 0;
      result_seq := r.head + 1;
      result_at := CASE WHEN r.at > wall AND r.at - wall <= ahead_max THEN r.at ELSE wall END;
      IF d.kind IN (2, 3) THEN
        IF t.cid IS NOT NULL AND t.edited IS NULL THEN
          INSERT INTO chinwag.sent VALUES (t.room, t.sender, t.cid, t.seq, t.at,
            chinwag.said_1(t.text, t.data, t.reply_to, t.thread)) ON CONFLICT DO NOTHING;
        END IF;
        WITH changed AS (
          UPDATE chinwag.record m SET text = NULL, weight = least(m.weight, bare + octet_length(m.sender))
          WHERE m.room = d.room AND m.target = d.target AND m.kind = 2 AND m.text IS NOT NULL
          RETURNING (SELECT octet_length(o.text) FROM chinwag.record o WHERE o.room = m.room AND o.seq = m.seq) AS bytes
        )
        SELECT coalesce(sum(bytes), 0) INTO freed FROM changed;
        IF d.kind = 2 THEN
          UPDATE chinwag.record m SET text = d.text, edited = result_at, weight = least(2147483647,
            d.weight + coalesce(octet_length(m.data), 0) + 6 * coalesce(octet_length(m.cid), 0))
          WHERE m.room = t.room AND m.seq = t.seq;
          freed := freed + octet_length(t.text) - octet_length(d.text);
        ELSE
          UPDATE chinwag.record m SET kind = 1, text = NULL, data = NULL, reply_to = NULL, thread = NULL,
            edited = NULL, weight = least(m.weight, bare + octet_length(m.sender))
          WHERE m.room = t.room AND m.seq = t.seq;
          freed := freed + octet_length(t.text) + coalesce(octet_length(t.data), 0);
        END IF;
      END IF;
      INSERT INTO chinwag.record (room, seq, at, weight, kind, sender, target, who, number, text, data, cid, reply_to, thread)
      VALUES (d.room, result_seq, result_at, d.weight, d.kind, d.sender, d.target, d.who, d.number, d.text, d.data,
        d.cid, d.reply_to, d.thread);
      IF is_heard THEN
        PERFORM chinwag.heard_1(ARRAY[d.room], ARRAY[result_seq], ARRAY[result_seq]);
      END IF;
      IF d.kind = 0 AND d.thread IS NOT NULL THEN
        PERFORM chinwag.follow_note_1(d.room, d.thread, d.sender, result_seq, result_at);
      END IF;
      UPDATE chinwag.room m SET head = result_seq, at = result_at,
        bytes = m.bytes - freed + coalesce(octet_length(d.text), 0) + coalesce(octet_length(d.data), 0)
      WHERE m.id = d.room;
      -- A restriction says who has ordered it, and when: the author of its record.
      PERFORM chinwag.fact_1(d.room, f.kind, f.name,
        CASE WHEN f.kind = 4 THEN fact_numbers[f.at * 4 - 3 : f.at * 4 - 2] || ARRAY[result_at, NULL]
          ELSE fact_numbers[f.at * 4 - 3 : f.at * 4] END,
        CASE WHEN f.kind = 4 THEN ARRAY[fact_texts[f.at * 3 - 2], d.sender, NULL]
          ELSE fact_texts[f.at * 3 - 2 : f.at * 3] END, node, NULL)
      FROM unnest(fact_places, fact_kinds, fact_names) WITH ORDINALITY AS f(place, kind, name, at)
      WHERE f.place = d.place AND f.kind <> 6;
    END IF;
    outcomes := outcomes || result; seqs := seqs || result_seq; ats := ats || result_at;
  END LOOP;
END
$$;
