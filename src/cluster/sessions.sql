-- Sessions: who may go on as whom, at whichever node. Of a secret there is a hash.
CREATE TABLE IF NOT EXISTS chinwag.session (
  hash text COLLATE "C" PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  guest text COLLATE "C" UNIQUE,         -- the name, if nobody else may have it meanwhile
  node bigint NOT NULL,                  -- where it is or was
  conn bigint NOT NULL,                  -- on which connection there
  away boolean NOT NULL,
  resumed boolean NOT NULL,              -- what its claim was answered with
  taken boolean NOT NULL DEFAULT false,  -- it goes on elsewhere, and its node has not been told
  ended bigint,                          -- when, NULL while it is live
  lost boolean NOT NULL DEFAULT false,   -- it counts as ended since its node is gone, which may come back
  former text COLLATE "C"                -- the hash that it was claimed by, which is good until its client has used it
) WITH (fillfactor = 70);
ALTER TABLE chinwag.session ADD COLUMN IF NOT EXISTS lost boolean NOT NULL DEFAULT false;
ALTER TABLE chinwag.session ADD COLUMN IF NOT EXISTS former text COLLATE "C";
CREATE INDEX IF NOT EXISTS session_name ON chinwag.session (name);
CREATE INDEX IF NOT EXISTS session_live ON chinwag.session (node) WHERE ended IS NULL;
CREATE INDEX IF NOT EXISTS session_lost ON chinwag.session (node) WHERE lost;
CREATE INDEX IF NOT EXISTS session_taken ON chinwag.session (node) WHERE taken;
CREATE INDEX IF NOT EXISTS session_former ON chinwag.session (former) WHERE former IS NOT NULL;
CREATE INDEX IF NOT EXISTS session_ended ON chinwag.session (ended) WHERE ended IS NOT NULL;

-- What becomes of sessions, in order, with an answer to each. `acts`:
-- 0 one is claimed, as the one that goes on from `olds`, if that is there: 0 it is new, 1 it is that one, whether that was
-- `away`, and the `other` node where it is live, or may be; 2 the guest's name is somebody else's, and nothing has
-- happened. `flags`: 1 for a guest, 2 if the one of `olds` stays good until act 5 (earlier programs do not say so)
-- 1 one has ended; with `olds` (of earlier programs), it is known by that from now on, and what has gone on as it by that
-- of `hashes`
-- 2 one is away, or not any more · 3 all of a user end · 4 a node was told that one goes on elsewhere
-- 5 one is used by its client: what it was claimed by is spent
-- A claim that is repeated is answered as before.
CREATE OR REPLACE FUNCTION chinwag.sessions_1(
  acts bigint[], hashes text[], olds text[], names text[], flags bigint[], conns bigint[], own bigint,
  kept bigint, each_max bigint
) RETURNS TABLE (outcome bigint, away bigint, other bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  wall bigint := (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
  c record;
  was chinwag.session;
  is_back boolean;
BEGIN
  -- In one order, so that nodes do not wait for each other in a circle.
  PERFORM 1 FROM chinwag.session s WHERE s.hash = ANY (hashes || olds) OR s.former = ANY (olds)
  ORDER BY s.hash FOR UPDATE;
  FOR c IN
    SELECT u.* FROM unnest(acts, hashes, olds, names, flags, conns) WITH ORDINALITY
      AS u(act, hash, old, name, flag, conn, at) ORDER BY u.at
  LOOP
    outcome := 0; away := 0; other := NULL; was := NULL;
    IF c.act = 0 THEN
      SELECT * INTO was FROM chinwag.session s WHERE s.hash = c.hash;
      IF FOUND THEN
        outcome := was.resumed::integer; away := was.away::integer;
        RETURN NEXT; CONTINUE;
      END IF;
      SELECT * INTO was FROM chinwag.session s
      WHERE (s.hash = c.old OR s.former = c.old) AND s.name = c.name AND NOT s.taken FOR UPDATE;
      -- The node that claims knows where it has the session of a secret, not always that of a former one.
      IF FOUND AND (was.ended IS NULL OR was.lost) AND (was.node <> own OR was.hash <> c.old) THEN
        UPDATE chinwag.session s SET taken = true, ended = wall, lost = false, guest = NULL, former = NULL
        WHERE s.hash = was.hash;
        other := was.node;
      ELSIF FOUND THEN
        DELETE FROM chinwag.session s WHERE s.hash = was.hash;
      END IF;
      IF c.flag & 1 <> 0 THEN
        DELETE FROM chinwag.session s WHERE s.guest = c.name AND s.ended < wall - kept;
      END IF;
      outcome := (was.hash IS NOT NULL)::integer; away := coalesce(was.away, false)::integer;
      INSERT INTO chinwag.session (hash, name, guest, node, conn, away, resumed, former)
      VALUES (c.hash, c.name, CASE WHEN c.flag & 1 <> 0 THEN c.name END, own, c.conn, away <> 0, outcome <> 0,
        CASE WHEN c.flag & 2 <> 0 AND outcome <> 0 THEN c.old END)
      ON CONFLICT DO NOTHING;
      IF NOT FOUND THEN outcome := 2; END IF;
    ELSIF c.act = 1 THEN
      UPDATE chinwag.session s SET ended = wall, lost = false WHERE s.hash = c.hash AND NOT s.taken;
      is_back := FOUND AND c.old IS NOT NULL;
      IF is_back THEN
        -- Whoever was to be told of a claim that is given up still is: by the connection, not by the hash.
        UPDATE chinwag.session s SET hash = c.hash || '+' WHERE s.hash = c.old AND s.taken;
        UPDATE chinwag.session s SET hash = c.old, former = NULL WHERE s.hash = c.hash
          AND NOT EXISTS (SELECT 1 FROM chinwag.session x WHERE x.hash = c.old);
        UPDATE chinwag.session s SET hash = c.hash WHERE s.hash = c.hash || '+';
      END IF;
      -- The latest of each user, as a client returns with its last one.
      DELETE FROM chinwag.session s WHERE s.hash IN (
        SELECT x.hash FROM chinwag.session x
        WHERE x.name = (SELECT y.name FROM chinwag.session y WHERE y.hash = coalesce(c.old, c.hash))
          AND x.ended IS NOT NULL AND NOT x.taken
        ORDER BY x.ended DESC OFFSET each_max FOR UPDATE SKIP LOCKED);
    ELSIF c.act = 2 THEN
      UPDATE chinwag.session s SET away = c.flag <> 0 WHERE s.hash = c.hash AND NOT s.taken;
    ELSIF c.act = 3 THEN
      DELETE FROM chinwag.session s WHERE s.name = c.name AND NOT s.taken;
    ELSIF c.act = 4 THEN
      -- Another session may have this hash by now. A node of an earlier program does not say on which connection it was.
      DELETE FROM chinwag.session s WHERE s.hash = c.hash AND s.taken AND c.conn IN (0, s.conn);
    ELSIF c.act = 5 THEN
      UPDATE chinwag.session s SET former = NULL WHERE s.hash = c.hash AND s.former IS NOT NULL;
    ELSE
      RAISE EXCEPTION 'there is no act %', c.act;
    END IF;
    RETURN NEXT;
  END LOOP;
END
$$;

-- Sessions of nodes that are gone have ended, and those that ended `kept` milliseconds ago are forgotten, `at_most` of
-- them; only one node does that at a time. The keeper of `node/upkeep.rs` has the lock before this one for good.
CREATE OR REPLACE FUNCTION chinwag.sessions_sweep_1(kept bigint, at_most bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  wall bigint := (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
  last bigint := -9223372036854775808;
BEGIN
  IF NOT pg_try_advisory_xact_lock(7163384699739271428) THEN RETURN; END IF;
  LOOP
    SELECT min(s.node) INTO last FROM chinwag.session s WHERE s.ended IS NULL AND s.node > last;
    EXIT WHEN last IS NULL;
    IF NOT EXISTS (SELECT 1 FROM chinwag.node n WHERE n.id = last) THEN
      UPDATE chinwag.session s SET ended = wall, lost = true WHERE s.hash IN (
        SELECT x.hash FROM chinwag.session x WHERE x.ended IS NULL AND x.node = last
        LIMIT at_most FOR UPDATE SKIP LOCKED);
    END IF;
  END LOOP;
  DELETE FROM chinwag.session s WHERE s.hash IN (
    SELECT x.hash FROM chinwag.session x WHERE x.ended < wall - kept ORDER BY x.ended LIMIT at_most
    FOR UPDATE SKIP LOCKED);
END
$$;

-- The node `own` was thought to be gone under the numbers `formers`, and is there: its sessions are live, but for those
-- that have ended or go on elsewhere. How many these were, `at_most`: of as many there may be more.
CREATE OR REPLACE FUNCTION chinwag.sessions_return_1(own bigint, formers bigint[], at_most bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  hashes text[];
BEGIN
  SELECT array_agg(l.hash) INTO hashes FROM (
    SELECT s.hash FROM chinwag.session s
    WHERE s.node = ANY (formers) AND NOT s.taken AND (s.ended IS NULL OR s.lost)
    ORDER BY s.hash LIMIT at_most FOR UPDATE) AS l;
  UPDATE chinwag.session s SET node = own, ended = NULL, lost = false WHERE s.hash = ANY (hashes);
  RETURN coalesce(cardinality(hashes), 0);
END
$$;
