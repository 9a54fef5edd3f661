-- What rooms are called, and how they end for all who are in them: added to the schema of version 1, each statement does
-- nothing where that is there already.

-- The names that rooms had before, which lead to them for as long as they live. No name is that of two rooms, whether it
-- is the present one or one of before: whoever takes a name first puts it into chinwag.room, where it is unique, and looks
-- here in a statement behind that. A room that gives up a name meanwhile was waited for there, and has put it here.
CREATE TABLE IF NOT EXISTS chinwag.former (
  name text COLLATE "C" PRIMARY KEY,
  room bigint NOT NULL,
  nth bigint NOT NULL                    -- they rise from the oldest on
);
CREATE INDEX IF NOT EXISTS former_room ON chinwag.former (room, nth);

-- They go with their room, whichever program has ended it.
CREATE OR REPLACE FUNCTION chinwag.former_gone_1() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  WITH gone AS (DELETE FROM chinwag.former f WHERE f.room = OLD.id RETURNING f.name)
  DELETE FROM chinwag.lookalike l USING gone g WHERE l.kind = 1 AND l.name = g.name;
  RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER room_former_gone AFTER DELETE ON chinwag.room
  FOR EACH ROW EXECUTE FUNCTION chinwag.former_gone_1();

-- A room that is there by this name, now or before, made if there is none. `form` is what its name looks like, if that is
-- another text.
CREATE OR REPLACE FUNCTION chinwag.open_1(room_name text, first_epoch bigint, form text, node bigint)
RETURNS TABLE (id bigint, epoch bigint, version bigint, facts bigint, head bigint, oldest bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  wall CONSTANT bigint := (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
  found_id bigint;
BEGIN
  SELECT f.room INTO found_id FROM chinwag.former f WHERE f.name = room_name;
  IF FOUND THEN
    UPDATE chinwag.room r SET opened = wall,
      opener = CASE WHEN r.opener = open_1.node THEN r.opener ELSE -1 END WHERE r.id = found_id;
  ELSE
    INSERT INTO chinwag.room AS r (name, epoch, opened, opener) VALUES (room_name, first_epoch, wall, open_1.node)
    ON CONFLICT (name) DO UPDATE SET opened = excluded.opened,
      opener = CASE WHEN r.opener = excluded.opener THEN r.opener ELSE -1 END
    RETURNING r.id INTO found_id;
    IF EXISTS (SELECT 1 FROM chinwag.former f WHERE f.name = room_name) THEN
      RAISE EXCEPTION 'the name of a room has just become one of before' USING ERRCODE = 'serialization_failure';
    END IF;
    IF open_1.form IS NOT NULL THEN
      INSERT INTO chinwag.lookalike VALUES (1, open_1.form, room_name) ON CONFLICT DO NOTHING;
    END IF;
  END IF;
  RETURN QUERY SELECT r.id, r.epoch, r.version, r.facts, r.head, r.oldest FROM chinwag.room r WHERE r.id = found_id;
END
$$;

-- A room, whose row is locked, gets another name in place of `was`; `form` is as above. Whether it does: the name may be
-- another room's.
CREATE OR REPLACE FUNCTION chinwag.rename_1(room_id bigint, new_name text, was text, form text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    UPDATE chinwag.room r SET name = new_name WHERE r.id = room_id;
    IF EXISTS (SELECT 1 FROM chinwag.former f WHERE f.name = new_name AND f.room <> room_id) THEN
      RAISE unique_violation;
    END IF;
    DELETE FROM chinwag.former f WHERE f.name = new_name;
    INSERT INTO chinwag.former
      SELECT was, room_id, coalesce(max(f.nth), 0) + 1 FROM chinwag.former f WHERE f.room = room_id;
  EXCEPTION WHEN unique_violation THEN
    RETURN false;
  END;
  IF form IS NOT NULL THEN
    INSERT INTO chinwag.lookalike VALUES (1, form, new_name) ON CONFLICT DO NOTHING;
  END IF;
  RETURN true;
END
$$;

-- Rooms that were ended for all who were in them: by whom and why, for the nodes that have them open. Those that were
-- away for more than ten minutes learn only that the room is no more.
CREATE TABLE IF NOT EXISTS chinwag.closed (
  room bigint PRIMARY KEY,
  "by" text COLLATE "C" NOT NULL,
  reason text NOT NULL,
  at bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS closed_at ON chinwag.closed (at);

-- A room is no more, whoever is in it; what was in it goes later. 0 it is so, also if that was asked before; 1 another node
-- has changed the rights of who asks, since version `known`; 2 it is another room.
CREATE OR REPLACE FUNCTION chinwag.close_1(
  room_id bigint, room_epoch bigint, known bigint, who text, why text, node bigint
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  r chinwag.room;
BEGIN
  SELECT * INTO r FROM chinwag.room x WHERE x.id = room_id FOR UPDATE;
  IF NOT FOUND THEN
    PERFORM 1 FROM chinwag.closed c WHERE c.room = room_id AND c."by" = who;
    RETURN CASE WHEN FOUND THEN 0 ELSE 2 END;
  END IF;
  IF r.epoch <> room_epoch THEN RETURN 2; END IF;
  IF r.version <> known AND EXISTS (SELECT 1 FROM chinwag.change c WHERE c.room = room_id AND c.name IN (who, '')
    AND c.version > known AND c.node <> close_1.node)
  THEN
    RETURN 1;
  END IF;
  DELETE FROM chinwag.room x WHERE x.id = room_id;
  DELETE FROM chinwag.lookalike l WHERE l.kind = 1 AND l.name = r.name;
  INSERT INTO chinwag.closed VALUES (room_id, who, why, (extract(epoch FROM clock_timestamp()) * 1000)::bigint);
  INSERT INTO chinwag.gone VALUES (room_id) ON CONFLICT DO NOTHING;
  RETURN 0;
END
$$;

-- What rooms that are no more have left goes, `at_most` rows of it; only one node does that at a time. Members first: who
-- is one of no other room is not known any more.
CREATE OR REPLACE FUNCTION chinwag.sweep_1(at_most bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  -- Ten minutes: as long as a session that has ended can be resumed.
  kept CONSTANT bigint := 600000;
  gone_id bigint;
  swept bigint;
BEGIN
  IF NOT pg_try_advisory_xact_lock(7163384699739271426) THEN RETURN 0; END IF;
  DELETE FROM chinwag.closed c WHERE c.at < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - kept;
  SELECT g.room INTO gone_id FROM chinwag.gone g ORDER BY g.room LIMIT 1;
  IF NOT FOUND THEN RETURN 0; END IF;
  DELETE FROM chinwag.member x WHERE x.ctid = ANY (ARRAY(
    SELECT y.ctid FROM chinwag.member y WHERE y.room = gone_id LIMIT at_most));
  GET DIAGNOSTICS swept = ROW_COUNT;
  IF swept > 0 THEN RETURN swept; END IF;
  DELETE FROM chinwag.restriction x WHERE x.ctid = ANY (ARRAY(
    SELECT y.ctid FROM chinwag.restriction y WHERE y.room = gone_id LIMIT at_most));
  GET DIAGNOSTICS swept = ROW_COUNT;
  IF swept > 0 THEN RETURN swept; END IF;
  DELETE FROM chinwag.change x WHERE x.ctid = ANY (ARRAY(
    SELECT y.ctid FROM chinwag.change y WHERE y.room = gone_id LIMIT at_most));
  GET DIAGNOSTICS swept = ROW_COUNT;
  IF swept > 0 THEN RETURN swept; END IF;
  DELETE FROM chinwag.record x WHERE x.ctid = ANY (ARRAY(
    SELECT y.ctid FROM chinwag.record y WHERE y.room = gone_id ORDER BY y.seq LIMIT at_most));
  GET DIAGNOSTICS swept = ROW_COUNT;
  IF swept > 0 THEN RETURN swept; END IF;
  DELETE FROM chinwag.sent x WHERE x.ctid = ANY (ARRAY(
    SELECT y.ctid FROM chinwag.sent y WHERE y.room = gone_id LIMIT at_most));
  GET DIAGNOSTICS swept = ROW_COUNT;
  IF swept = 0 THEN DELETE FROM chinwag.gone g WHERE g.room = gone_id; END IF;
  RETURN swept;
END
$$;
