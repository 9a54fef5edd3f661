-- Threads, added to the schema of version 1 since it was first made: each statement does nothing where that is there
-- already. What follows from a message of a thread is done with its record, in chinwag.append_1.

-- The messages of a thread, whose first message is not among them.
CREATE INDEX IF NOT EXISTS record_thread ON chinwag.record (room, thread, seq) WHERE thread IS NOT NULL;

-- Who follows which thread, and how far who has read it.
CREATE TABLE IF NOT EXISTS chinwag.follow (
  room bigint NOT NULL,
  thread bigint NOT NULL,                -- the seq of its first message
  name text COLLATE "C" NOT NULL,
  read bigint NOT NULL,                  -- up to which seq
  at bigint NOT NULL,                    -- when that was changed last; those of long ago go first
  off boolean NOT NULL,                  -- by choice it is not followed, whoever writes in it
  PRIMARY KEY (room, thread, name)
) WITH (fillfactor = 70);
-- Of a user, also in one room. Without the time, so that a mark that moves stays on its page: a user has few.
CREATE INDEX IF NOT EXISTS follow_name ON chinwag.follow (name, room, thread);

-- Who leaves a room follows nothing there, and nobody does in one that is no more, whichever program has ended it.
CREATE OR REPLACE FUNCTION chinwag.follow_left_1() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM chinwag.follow f USING old_rows o WHERE f.name = o.name AND f.room = o.room;
  RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER member_left AFTER DELETE ON chinwag.member
  REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION chinwag.follow_left_1();

CREATE OR REPLACE FUNCTION chinwag.follow_dropped_1() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM chinwag.follow f WHERE f.room = OLD.id;
  RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER room_follow_gone AFTER DELETE ON chinwag.room
  FOR EACH ROW EXECUTE FUNCTION chinwag.follow_dropped_1();

-- Drops the marks of a user that were changed longest ago, if there are more than 64
-- (model::limits::THREADS_OF_USER_MAX). One that is being changed just now is not waited for.
CREATE OR REPLACE FUNCTION chinwag.follow_trim_1(who text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM chinwag.follow f WHERE f.name = who OFFSET 64 LIMIT 1;
  IF NOT FOUND THEN RETURN; END IF;
  DELETE FROM chinwag.follow f WHERE f.name = who AND (f.room, f.thread) IN (
    SELECT x.room, x.thread FROM chinwag.follow x WHERE x.name = who
    ORDER BY x.at DESC, x.room, x.thread OFFSET 64 FOR UPDATE SKIP LOCKED);
END
$$;

-- What follows from a message of a thread, `own_seq`: its author follows the thread and has read it; so does who has
-- begun it, unless that was ended by choice, or by its leaving the room. The room's row is locked.
CREATE OR REPLACE FUNCTION chinwag.follow_note_1(
  room_id bigint, first_seq bigint, author text, own_seq bigint, wall bigint
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  beginner text;
BEGIN
  INSERT INTO chinwag.follow AS f (room, thread, name, read, at, off)
  VALUES (room_id, first_seq, author, own_seq, wall, false)
  ON CONFLICT ON CONSTRAINT follow_pkey DO UPDATE
    SET read = greatest(f.read, excluded.read), at = excluded.at, off = false;
  PERFORM chinwag.follow_trim_1(author);
  INSERT INTO chinwag.follow AS f (room, thread, name, read, at, off)
  SELECT r.room, r.seq, r.sender, r.seq, wall, false FROM chinwag.record r
  WHERE r.room = room_id AND r.seq = first_seq
    AND EXISTS (SELECT 1 FROM chinwag.member m WHERE m.room = r.room AND m.name = r.sender)
  ON CONFLICT ON CONSTRAINT follow_pkey DO NOTHING RETURNING f.name INTO beginner;
  IF beginner IS NOT NULL THEN PERFORM chinwag.follow_trim_1(beginner); END IF;
END
$$;

-- What a user wants of a thread: 0 it is followed, 1 it is not, whoever writes in it; where there was no mark, it counts
-- as read up to `upto`. 2 it is read up to there. 1 if that is done; 0 if there is no such thread, or no mark that moves.
CREATE OR REPLACE FUNCTION chinwag.follow_1(
  who text, room_name text, first_seq bigint, change bigint, upto bigint, wall bigint
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  room_id bigint;
BEGIN
  -- Nobody drops the room meanwhile: a mark would stay behind.
  SELECT r.id INTO room_id FROM chinwag.room r WHERE r.name = room_name
    OR r.id = (SELECT f.room FROM chinwag.former f WHERE f.name = room_name) FOR KEY SHARE;
  IF NOT FOUND THEN RETURN 0; END IF;
  -- With one inside a thread none begins.
  PERFORM 1 FROM chinwag.record x
  WHERE x.room = room_id AND x.seq = first_seq AND x.kind IN (0, 1)
    AND (x.thread IS NULL OR change <> 0);
  IF NOT FOUND THEN RETURN 0; END IF;
  IF change = 2 THEN
    UPDATE chinwag.follow f SET read = upto, at = wall
    WHERE f.room = room_id AND f.thread = first_seq AND f.name = who AND f.read < upto AND NOT f.off;
    RETURN FOUND::integer;
  ELSIF change NOT IN (0, 1) THEN
    RAISE EXCEPTION 'there is no change %', change;
  END IF;
  -- Who follows again has not read what was said meanwhile.
  INSERT INTO chinwag.follow AS f (room, thread, name, read, at, off)
  VALUES (room_id, first_seq, who, upto, wall, change = 1)
  ON CONFLICT ON CONSTRAINT follow_pkey DO UPDATE SET at = excluded.at, off = excluded.off;
  PERFORM chinwag.follow_trim_1(who);
  RETURN 1;
END
$$;
