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
  topic_by text
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
  said bytea NOT NULL,                   -- a hash of what was said
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
