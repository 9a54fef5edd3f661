-- What was added to the schema of version 1 since it was first made: each statement does nothing where that is there
-- already, so that `chinwag cluster init` runs all of it on an engine that lacks some of it.

-- The index of words. The records of a room are taken by blocks of 64 seqs, and the words of a block's messages are
-- indexed together, each with the places in the block of the messages that have it (from 1). `#N` is a word of each
-- block of the room N, `#all` of messages whose words are not there: too many. What counts as a word is what
-- chat::model::words says, and the texts that are found are looked at by it.
CREATE TABLE IF NOT EXISTS chinwag.word (
  room bigint NOT NULL,
  block bigint NOT NULL,                 -- (seq - 1) / 64
  low bigint NOT NULL,                   -- times of its messages: the earliest and the latest
  high bigint NOT NULL,
  words tsvector,                        -- NULL since one of its messages was changed or went: it is indexed again
  PRIMARY KEY (room, block)
);
CREATE INDEX IF NOT EXISTS word_words ON chinwag.word USING gin (words) WITH (fastupdate = off);
CREATE INDEX IF NOT EXISTS word_stale ON chinwag.word (room, block) WHERE words IS NULL;

-- How far each room is indexed.
CREATE TABLE IF NOT EXISTS chinwag.search (
  room bigint PRIMARY KEY,
  upto bigint NOT NULL,                  -- the last seq
  edits bigint NOT NULL                  -- rises whenever messages were changed or went
) WITH (fillfactor = 50);

-- Messages have been changed or are gone: what the index has of their blocks goes with the same commit. Whoever was
-- about to index them finds another number of edits, and begins anew.
CREATE OR REPLACE FUNCTION chinwag.unindex_1() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO chinwag.search AS s (room, upto, edits)
  SELECT o.room, 0, 1 FROM old_rows o JOIN chinwag.room r ON r.id = o.room WHERE o.kind = 0
  GROUP BY o.room ORDER BY o.room
  ON CONFLICT (room) DO UPDATE SET edits = s.edits + 1;
  UPDATE chinwag.word w SET words = NULL
  FROM (SELECT DISTINCT o.room, (o.seq - 1) / 64 AS block FROM old_rows o WHERE o.kind = 0) AS c
  WHERE w.room = c.room AND w.block = c.block AND w.words IS NOT NULL;
  RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER record_changed AFTER UPDATE ON chinwag.record
  REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION chinwag.unindex_1();
CREATE OR REPLACE TRIGGER record_gone AFTER DELETE ON chinwag.record
  REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION chinwag.unindex_1();

-- A room is no more: its words go with its records, later.
CREATE OR REPLACE FUNCTION chinwag.unsearch_1() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM chinwag.search s WHERE s.room = OLD.id;
  RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER room_gone AFTER DELETE ON chinwag.room
  FOR EACH ROW EXECUTE FUNCTION chinwag.unsearch_1();

-- Puts blocks into the index, ascending by room and block: what is in them up to the seqs `uptos`, read when the rooms
-- had these numbers of edits. Without words there are no messages in it any more; nor does a room have words that is no
-- more. Nothing waits for a standby: what is lost is indexed again.
CREATE OR REPLACE FUNCTION chinwag.index_1(
  rooms bigint[], blocks bigint[], known_edits bigint[], uptos bigint[], lows bigint[], highs bigint[], words text[]
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  b record;
  skipped bigint;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  FOR b IN
    SELECT u.* FROM unnest(rooms, blocks, known_edits, uptos, lows, highs, words) WITH ORDINALITY
      AS u(room, block, edits, upto, low, high, words, at) ORDER BY u.at
  LOOP
    IF NOT EXISTS (SELECT 1 FROM chinwag.room r WHERE r.id = b.room) THEN
      DELETE FROM chinwag.word w WHERE w.room = b.room AND w.block = b.block;
      CONTINUE;
    END IF;
    INSERT INTO chinwag.search AS s VALUES (b.room, 0, 0) ON CONFLICT DO NOTHING;
    -- Whoever changes messages just now is not waited for. What stands behind is left, too, should that one be gone by
    -- then: `upto` goes past no block that is not there.
    CONTINUE WHEN b.room = skipped;
    PERFORM 1 FROM chinwag.search s WHERE s.room = b.room AND s.edits = b.edits FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
      skipped := b.room;
      CONTINUE;
    END IF;
    UPDATE chinwag.search s SET upto = greatest(s.upto, b.upto) WHERE s.room = b.room;
    IF b.words IS NULL THEN
      DELETE FROM chinwag.word w WHERE w.room = b.room AND w.block = b.block;
    ELSE
      INSERT INTO chinwag.word VALUES (b.room, b.block, b.low, b.high, b.words::tsvector)
      ON CONFLICT ON CONSTRAINT word_pkey
      DO UPDATE SET low = excluded.low, high = excluded.high, words = excluded.words;
    END IF;
  END LOOP;
END
$$;
