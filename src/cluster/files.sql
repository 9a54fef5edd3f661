-- Files: whose they are, how large, and which messages refer to them. What is in them lies in a folder that the nodes
-- share. Times are microseconds since 1970. Each statement does nothing where that is there already.
CREATE TABLE IF NOT EXISTS chinwag.file (
  id text COLLATE "C" PRIMARY KEY,
  hash text COLLATE "C" NOT NULL,        -- SHA-256, hexadecimal
  place text COLLATE "C" NOT NULL,       -- its name in the folder, which is never given again
  owner text COLLATE "C" NOT NULL,
  bytes bigint NOT NULL,
  kind smallint NOT NULL,
  renewed bigint NOT NULL                -- since when it has waited for its first message
);
CREATE INDEX IF NOT EXISTS file_hash ON chinwag.file (hash);
CREATE INDEX IF NOT EXISTS file_place ON chinwag.file (place);
CREATE INDEX IF NOT EXISTS file_owner ON chinwag.file (owner);

-- Bytes of the files of each user and, with an empty name, of all.
CREATE TABLE IF NOT EXISTS chinwag.file_sum (
  owner text COLLATE "C" PRIMARY KEY,
  bytes bigint NOT NULL
) WITH (fillfactor = 70);
INSERT INTO chinwag.file_sum VALUES ('', 0) ON CONFLICT DO NOTHING;

-- Which messages refer to which files.
CREATE TABLE IF NOT EXISTS chinwag.file_use (
  room bigint NOT NULL,
  seq bigint NOT NULL,
  file text COLLATE "C" NOT NULL,
  PRIMARY KEY (room, seq, file)
);
CREATE INDEX IF NOT EXISTS file_use_file ON chinwag.file_use (file);

-- Files to which perhaps nothing refers from that time on. A row of its own for each: what refers to a file, or does not
-- any more, waits for nobody.
CREATE TABLE IF NOT EXISTS chinwag.file_check (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at bigint NOT NULL,
  file text COLLATE "C" NOT NULL,
  was_used boolean NOT NULL              -- a message that referred to it is gone
);
CREATE INDEX IF NOT EXISTS file_check_at ON chinwag.file_check (at);

-- What lies in the folder and is no file's any more, until a node has removed it.
CREATE TABLE IF NOT EXISTS chinwag.file_gone (
  place text COLLATE "C" PRIMARY KEY
);

-- The nodes that take files: what each has written into its folder last, and why it does not take any, if it does not.
CREATE TABLE IF NOT EXISTS chinwag.file_node (
  node bigint PRIMARY KEY,
  nonce text NOT NULL,
  fault text
);

-- The files to which a message with this `data` refers, as chat::model::file has them.
CREATE OR REPLACE FUNCTION chinwag.file_references_1(data text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(array_agg(DISTINCT 'cwf_' || m[1]), '{}')
  FROM regexp_matches(data, 'cwf_([a-z2-7]{32})(?![a-z2-7])', 'g') AS m
$$;

-- By triggers, so that no way in which a message can come or go, at a node of whatever version, leaves a reference behind.
-- What refers to a file locks its row against removal only: two that refer to one do not wait for each other.
CREATE OR REPLACE FUNCTION chinwag.file_used_1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO chinwag.file_use
  SELECT NEW.room, NEW.seq, f.id FROM chinwag.file f
  WHERE f.id = ANY (chinwag.file_references_1(NEW.data)) AND f.owner = NEW.sender FOR KEY SHARE
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$;
CREATE OR REPLACE FUNCTION chinwag.file_unused_1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  WITH gone AS (DELETE FROM chinwag.file_use u WHERE u.room = OLD.room AND u.seq = OLD.seq RETURNING u.file)
  INSERT INTO chinwag.file_check (at, file, was_used)
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, g.file, true FROM gone g;
  RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER file_used AFTER INSERT ON chinwag.record FOR EACH ROW
  WHEN (strpos(NEW.data, 'cwf_') > 0) EXECUTE FUNCTION chinwag.file_used_1();
CREATE OR REPLACE TRIGGER file_unused AFTER DELETE ON chinwag.record FOR EACH ROW
  WHEN (strpos(OLD.data, 'cwf_') > 0) EXECUTE FUNCTION chinwag.file_unused_1();
CREATE OR REPLACE TRIGGER file_erased AFTER UPDATE OF data ON chinwag.record FOR EACH ROW
  WHEN (strpos(OLD.data, 'cwf_') > 0 AND NEW.data IS NULL) EXECUTE FUNCTION chinwag.file_unused_1();

-- A file was sent, and lies in the folder at `new_place`: 0 it is one, at this `place`, which may be another with the same
-- in it; 1 it would be more than the user may have, who may have `rest` more; 2 it would be more than there may be. One
-- that is put again, since the answer was lost, is there once. `waits`: milliseconds for which it may wait for a message.
CREATE OR REPLACE FUNCTION chinwag.file_put_1(
  new_id text, new_hash text, new_place text, new_owner text, new_bytes bigint, new_kind bigint, per_user bigint,
  total bigint, waits bigint, OUT outcome bigint, OUT place text, OUT rest bigint
)
LANGUAGE plpgsql AS $$
DECLARE
  wall bigint := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
  of_all bigint;
  of_user bigint;
BEGIN
  -- One after the other, so that nobody has more than the quota.
  SELECT s.bytes INTO of_all FROM chinwag.file_sum s WHERE s.owner = '' FOR UPDATE;
  outcome := 0;
  SELECT f.place INTO place FROM chinwag.file f WHERE f.id = new_id;
  IF FOUND THEN RETURN; END IF;
  SELECT s.bytes INTO of_user FROM chinwag.file_sum s WHERE s.owner = new_owner;
  rest := greatest(0, per_user - coalesce(of_user, 0));
  IF new_bytes > rest THEN outcome := 1; RETURN; END IF;
  IF of_all + new_bytes > total THEN outcome := 2; RETURN; END IF;
  -- What is the same is kept once; what is just being removed is not the same.
  SELECT f.place INTO place FROM chinwag.file f WHERE f.hash = new_hash LIMIT 1 FOR KEY SHARE SKIP LOCKED;
  place := coalesce(place, new_place);
  INSERT INTO chinwag.file VALUES (new_id, new_hash, place, new_owner, new_bytes, new_kind, wall);
  INSERT INTO chinwag.file_check (at, file, was_used) VALUES (wall + waits * 1000, new_id, false);
  UPDATE chinwag.file_sum s SET bytes = s.bytes + new_bytes WHERE s.owner = '';
  INSERT INTO chinwag.file_sum AS s VALUES (new_owner, new_bytes)
  ON CONFLICT ON CONSTRAINT file_sum_pkey DO UPDATE SET bytes = s.bytes + excluded.bytes;
END
$$;

-- The file of this user that has this hash, which may wait for a message as long again as a new one. That it is looked
-- at then is noted once a minute: what is noted is put off as long as the file is renewed.
CREATE OR REPLACE FUNCTION chinwag.file_again_1(known_hash text, known_owner text, waits bigint)
RETURNS TABLE (id text, place text, bytes bigint, kind bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  wall bigint := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
  f chinwag.file;
BEGIN
  SELECT * INTO f FROM chinwag.file x WHERE x.hash = known_hash AND x.owner = known_owner
  ORDER BY x.id LIMIT 1 FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  UPDATE chinwag.file x SET renewed = wall WHERE x.id = f.id;
  IF f.renewed < wall - least(60000000, waits * 500) THEN
    INSERT INTO chinwag.file_check (at, file, was_used) VALUES (wall + waits * 1000, f.id, false);
  END IF;
  RETURN QUERY SELECT f.id, f.place, f.bytes, f.kind::bigint;
END
$$;

-- Files to which nothing refers go, `at_most` of them: the places in the folder that are no file's any more, also those
-- that were told before and are not among the `removed` ones. What somebody just refers to is looked at later. An empty
-- place says that there may be more to look at.
CREATE OR REPLACE FUNCTION chinwag.file_sweep_1(removed text[], waits bigint, at_most bigint) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
  wall bigint := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
  c record;
  f chinwag.file;
  looked bigint := 0;
BEGIN
  DELETE FROM chinwag.file_gone g WHERE g.place = ANY (removed);
  IF EXISTS (SELECT 1 FROM chinwag.file_check x WHERE x.at <= wall) THEN
    PERFORM 1 FROM chinwag.file_sum s WHERE s.owner = '' FOR UPDATE SKIP LOCKED;
    -- Whoever sends a file just now comes first, as does another sweep.
    IF NOT FOUND THEN RETURN; END IF;
    FOR c IN
      SELECT * FROM chinwag.file_check x WHERE x.at <= wall ORDER BY x.at LIMIT at_most FOR UPDATE SKIP LOCKED
    LOOP
      SELECT * INTO f FROM chinwag.file x WHERE x.id = c.file FOR UPDATE SKIP LOCKED;
      -- Behind the lock: what has referred to it meanwhile is seen.
      CONTINUE WHEN f.id IS NULL AND EXISTS (SELECT 1 FROM chinwag.file x WHERE x.id = c.file);
      looked := looked + 1;
      -- Renewed meanwhile: it is looked at when that is over, also should it be used until then.
      IF NOT c.was_used AND f.renewed + waits * 1000 > wall THEN
        UPDATE chinwag.file_check x SET at = f.renewed + waits * 1000 WHERE x.id = c.id;
        CONTINUE;
      END IF;
      DELETE FROM chinwag.file_check x WHERE x.id = c.id;
      CONTINUE WHEN f.id IS NULL OR EXISTS (SELECT 1 FROM chinwag.file_use u WHERE u.file = f.id);
      CONTINUE WHEN c.was_used AND f.renewed >= c.at;
      DELETE FROM chinwag.file x WHERE x.id = f.id;
      UPDATE chinwag.file_sum s SET bytes = s.bytes - f.bytes WHERE s.owner IN ('', f.owner);
      DELETE FROM chinwag.file_sum s WHERE s.owner = f.owner AND s.bytes <= 0;
      IF NOT EXISTS (SELECT 1 FROM chinwag.file x WHERE x.place = f.place) THEN
        INSERT INTO chinwag.file_gone VALUES (f.place) ON CONFLICT DO NOTHING;
      END IF;
    END LOOP;
    IF looked >= at_most THEN RETURN NEXT ''; END IF;
  END IF;
  RETURN QUERY SELECT g.place FROM chinwag.file_gone g LIMIT at_most;
END
$$;

-- The files of a user who is erased go, `at_most` of them, whoever refers to them; what others have sent as well stays in
-- the folder. How many have gone.
CREATE OR REPLACE FUNCTION chinwag.file_forget_2(erased text, at_most bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  went bigint;
  freed bigint;
  places text[];
BEGIN
  PERFORM 1 FROM chinwag.file_sum s WHERE s.owner = '' FOR UPDATE;
  WITH gone AS (DELETE FROM chinwag.file f
    WHERE f.id IN (SELECT x.id FROM chinwag.file x WHERE x.owner = erased LIMIT at_most)
    RETURNING f.id, f.place, f.bytes),
  uses AS (DELETE FROM chinwag.file_use u USING gone g WHERE u.file = g.id)
  SELECT count(*), coalesce(sum(g.bytes), 0), array_agg(DISTINCT g.place) INTO went, freed, places FROM gone g;
  INSERT INTO chinwag.file_gone SELECT u.place FROM unnest(places) AS u(place)
  WHERE NOT EXISTS (SELECT 1 FROM chinwag.file f WHERE f.place = u.place) ON CONFLICT DO NOTHING;
  UPDATE chinwag.file_sum s SET bytes = s.bytes - freed WHERE s.owner IN ('', erased) AND went > 0;
  DELETE FROM chinwag.file_sum s
  WHERE s.owner = erased AND NOT EXISTS (SELECT 1 FROM chinwag.file f WHERE f.owner = erased);
  RETURN went;
END
$$;

-- A node has written `own_nonce` into its folder, in which there is `own_mark`, and takes no files if `own_fault` says so:
-- the nodes that do, behind the mark of the folder that all share, which is that of the first one.
CREATE OR REPLACE FUNCTION chinwag.file_probe_1(own bigint, own_nonce text, own_mark text, own_fault text)
RETURNS TABLE (node bigint, name text, nonce text, fault text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO chinwag.meta SELECT 'files', own_mark WHERE own_mark IS NOT NULL ON CONFLICT DO NOTHING;
  INSERT INTO chinwag.file_node VALUES (own, own_nonce, own_fault)
  ON CONFLICT ON CONSTRAINT file_node_pkey DO UPDATE SET nonce = excluded.nonce, fault = excluded.fault;
  DELETE FROM chinwag.file_node f WHERE f.node <> own
    AND NOT EXISTS (SELECT 1 FROM chinwag.node n WHERE n.id = f.node);
  RETURN QUERY SELECT 0::bigint, ''::text, m.value, NULL::text FROM chinwag.meta m WHERE m.key = 'files'
    UNION ALL (SELECT f.node, coalesce(n.name, ''), f.nonce, f.fault FROM chinwag.file_node f
    LEFT JOIN chinwag.node n ON n.id = f.node ORDER BY f.node LIMIT 1000);
END
$$;

INSERT INTO chinwag.meta VALUES ('additions', '7') ON CONFLICT (key) DO UPDATE SET value = excluded.value;
