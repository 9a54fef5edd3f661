-- The schema of the shared log, version 1, in PostgreSQL 15 or later. Times are milliseconds since 1970; names are as in
-- the protocol; the numbers of kinds are those of the embedded store (src/store/sqlite/schema.sql).
--
-- Functions carry their version in their names, so that nodes of two versions run side by side.

CREATE SCHEMA chinwag;

CREATE TABLE chinwag.meta (
  key text COLLATE "C" PRIMARY KEY,
  value text NOT NULL
);
INSERT INTO chinwag.meta VALUES ('schema', '1');

-- A room, and the head of its log. Its row is changed with each batch: room is left on its page, and no index has what
-- changes, so that the row stays there.
CREATE TABLE chinwag.room (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  epoch bigint NOT NULL,                 -- the bits of a u64
  version bigint NOT NULL DEFAULT 0,     -- rises whenever somebody's rights change
  facts bigint NOT NULL DEFAULT 0,       -- rises with each fact that changes
  head bigint NOT NULL DEFAULT 0,        -- the last seq
  oldest bigint NOT NULL DEFAULT 1,      -- the first seq that is still there, head + 1 if none is
  at bigint NOT NULL DEFAULT 0,          -- of the last record: time never goes back in a room
  bytes bigint NOT NULL DEFAULT 0,       -- of text and data, of all records that are there
  private boolean NOT NULL DEFAULT false,
  owned boolean NOT NULL DEFAULT false,
  policy text,                           -- chosen by name, if one was
  topic text NOT NULL DEFAULT '',
  topic_by text,
  opened bigint NOT NULL DEFAULT 0,      -- when a node has begun it
  opener bigint NOT NULL DEFAULT 0       -- which node, -1 if several have
) WITH (fillfactor = 50);

CREATE TABLE chinwag.record (
  room bigint NOT NULL,
  seq bigint NOT NULL,
  at bigint NOT NULL,
  weight integer NOT NULL,
  kind smallint NOT NULL,
  sender text COLLATE "C" NOT NULL,
  target bigint,
  who text,
  number bigint,
  text text,
  data text,
  cid text COLLATE "C",
  reply_to bigint,
  thread bigint,
  edited bigint,
  PRIMARY KEY (room, seq)
);
-- Messages are stored once. What was edited or deleted keeps its `cid` here, and what it was in `sent`.
CREATE UNIQUE INDEX record_cid ON chinwag.record (room, sender, cid) WHERE cid IS NOT NULL;
-- Find the edit of a message that still has its text, whether a reaction is there already, and the last topic.
CREATE INDEX record_edit ON chinwag.record (room, target) WHERE kind = 2 AND text IS NOT NULL;
CREATE INDEX record_reaction ON chinwag.record (room, target, sender, text) WHERE kind = 4;
CREATE INDEX record_topic ON chinwag.record (room, seq) WHERE kind = 5;

-- What was sent by the `cid`s of messages that were changed or are gone.
CREATE TABLE chinwag.sent (
  room bigint NOT NULL,
  sender text COLLATE "C" NOT NULL,
  cid text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  at bigint NOT NULL,
  said bytea NOT NULL,                   -- a hash of what was said, empty if that is not known
  PRIMARY KEY (room, sender, cid)
);
CREATE INDEX sent_at ON chinwag.sent (at);

CREATE TABLE chinwag.member (
  room bigint NOT NULL,
  name text COLLATE "C" NOT NULL,
  role smallint NOT NULL,                -- 0 reader to 3 owner
  recv bigint NOT NULL,
  read bigint NOT NULL,
  joined bigint NOT NULL,                -- rises with each membership
  PRIMARY KEY (room, name)
) WITH (fillfactor = 70);
CREATE INDEX member_name ON chinwag.member (name);

CREATE TABLE chinwag.restriction (
  room bigint NOT NULL,
  name text COLLATE "C" NOT NULL,
  kind smallint NOT NULL,                -- 0 banned, 1 muted, 2 invited, 3 reader, 4 may return
  until bigint,
  reason text NOT NULL,
  "by" text,
  at bigint,
  PRIMARY KEY (room, name, kind)
);
CREATE INDEX restriction_name ON chinwag.restriction (name) WHERE kind = 2;

-- When each fact about a room changed last, for the nodes that hold the room: also of those that do not hold any more.
CREATE TABLE chinwag.change (
  room bigint NOT NULL,
  name text COLLATE "C" NOT NULL,        -- whom it is about, empty if nobody
  kind smallint NOT NULL,                -- 0 access, 1 topic, 2 member, 4 restriction
  sub smallint NOT NULL,                 -- the kind of the restriction, otherwise 0
  facts bigint NOT NULL,                 -- the room's counter since then
  version bigint NOT NULL,               -- the same of the last change that was one of rights
  node bigint NOT NULL,                  -- who has changed it
  PRIMARY KEY (room, name, kind, sub)
) WITH (fillfactor = 70);
CREATE INDEX change_facts ON chinwag.change (room, facts);

-- Names that look like another text than themselves: of users that are or were members, and of rooms.
CREATE TABLE chinwag.lookalike (
  kind smallint NOT NULL,                -- 0 user, 1 room
  form text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  PRIMARY KEY (kind, form, name)
);

-- Rooms that were dropped and may still have records.
CREATE TABLE chinwag.gone (
  room bigint PRIMARY KEY
);

-- What was said, as a hash: what a `cid` stands for.
CREATE FUNCTION chinwag.said_1(text text, data text, reply_to bigint, thread bigint) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT sha256(convert_to(
    jsonb_build_array(text, data, reply_to, thread)::text, 'UTF8'))
$$;

-- The nodes: lives of processes, each with a number that is never used again. Times are the engine's.
CREATE TABLE chinwag.node (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  nonce bigint NOT NULL,                 -- tells the process from others, should an engine have lost numbers
  name text NOT NULL,
  address text NOT NULL,
  version text NOT NULL,
  since bigint NOT NULL,                 -- since when it has been here without a gap
  beat bigint NOT NULL                   -- when it was last heard of
) WITH (fillfactor = 50);

-- A node is here: its row is changed, or made if there is none. It answers with all nodes. One that was not heard of for
-- ten seconds is removed, but only by one that was here all the time: while the engine is away nobody is heard of.
CREATE FUNCTION chinwag.beat_1(own_id bigint, own_nonce bigint, own_name text, own_address text, own_version text)
RETURNS TABLE (id bigint, name text, address text, version text, age bigint, own boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  gap_max CONSTANT bigint := 5000;
  silence_max CONSTANT bigint := 10000;
  wall bigint := (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
  here_since bigint;
  known_id bigint := own_id;
BEGIN
  UPDATE chinwag.node AS n
  SET since = CASE WHEN wall - n.beat > gap_max THEN wall ELSE n.since END, beat = greatest(n.beat, wall)
  WHERE n.id = known_id AND n.nonce = own_nonce RETURNING n.since INTO here_since;
  IF NOT FOUND THEN
    INSERT INTO chinwag.node AS n (nonce, name, address, version, since, beat)
    VALUES (own_nonce, own_name, own_address, own_version, wall, wall) RETURNING n.id, n.since INTO known_id, here_since;
  END IF;
  IF wall - here_since >= silence_max THEN
    -- Whoever beats just now is left alone.
    DELETE FROM chinwag.node AS n WHERE n.id IN (
      SELECT s.id FROM chinwag.node s WHERE s.beat < wall - silence_max FOR UPDATE SKIP LOCKED);
  END IF;
  RETURN QUERY SELECT n.id, n.name, n.address, n.version, wall - n.beat, n.id = known_id
  FROM chinwag.node n ORDER BY n.id DESC LIMIT 1000;
END
$$;
