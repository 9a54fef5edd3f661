-- The store's schema, version 1. Times are milliseconds since 1970; names are as in the protocol.

-- What concerns the file as a whole; the keys are in meta_table.rs. Besides: 'probe' (a number that
-- changes when nothing else does, so that a commit reaches the disk) and 'gone N' (room N was
-- removed, and its records are being removed).
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- A room, and the head of its log: it is apart from the records, so that pruning never lowers it.
CREATE TABLE room (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  epoch INTEGER NOT NULL,       -- the bits of a u64
  durability INTEGER NOT NULL,  -- 1 os, 2 disk
  head INTEGER NOT NULL,        -- the last seq
  oldest INTEGER NOT NULL,      -- the first seq that is still there, head + 1 if none is
  at INTEGER NOT NULL,          -- of the last record: time never goes back in a room
  bytes INTEGER NOT NULL,       -- of text and data, of all records that are there
  private INTEGER NOT NULL,
  owned INTEGER NOT NULL,
  policy TEXT,                  -- chosen by name, if one was
  topic TEXT NOT NULL
) STRICT;

-- A record. The rowid rises with each: it is the order of search.
CREATE TABLE record (
  id INTEGER PRIMARY KEY,
  room INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  sender TEXT NOT NULL,
  kind INTEGER NOT NULL,        -- 0 message, 1 deleted message, 2 edit, 3 deletion, 4 reaction, 5 topic,
                                -- 6 kick, 7 ban, 8 unban, 9 mute, 10 unmute, 11 role
  target INTEGER,               -- the message's seq: 2, 3, 4
  who TEXT,                     -- the user: 6 to 11
  number INTEGER,               -- 4: 1 if it is taken back; 7, 9: until when; 11: the role (0 reader to 3 owner)
  text TEXT,                    -- 0, 2, 5: the text; 4: the emoji; 6 to 11: the reason
  data TEXT,                    -- 0: opaque JSON
  cid TEXT,                     -- 0
  reply_to INTEGER,             -- 0
  thread INTEGER,               -- 0
  edited INTEGER,               -- 0: when the text was changed last
  weight INTEGER NOT NULL,
  sum INTEGER NOT NULL,         -- CRC-32 over all of the above but `id`
  UNIQUE (room, seq)
) STRICT;

-- Finds the earlier edits of a message when it is deleted.
CREATE INDEX edit ON record (room, target) WHERE kind = 2;

-- The `cid`s, apart from the records, which may be pruned or erased earlier. The rowid rises with
-- the time.
CREATE TABLE sent (
  id INTEGER PRIMARY KEY,
  room INTEGER NOT NULL,
  sender TEXT NOT NULL,
  cid TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  hash INTEGER NOT NULL,        -- of what was said
  UNIQUE (room, sender, cid)
) STRICT;

CREATE TABLE member (
  room INTEGER NOT NULL,
  user TEXT NOT NULL,
  role INTEGER NOT NULL,        -- 0 reader to 3 owner
  recv INTEGER NOT NULL,
  read INTEGER NOT NULL,
  PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;

CREATE TABLE standing (
  room INTEGER NOT NULL,
  user TEXT NOT NULL,
  kind INTEGER NOT NULL,        -- 0 banned, 1 muted, 2 invited
  until INTEGER,
  reason TEXT NOT NULL,
  PRIMARY KEY (room, user, kind)
) STRICT, WITHOUT ROWID;

-- Users and addresses that may not use the server.
CREATE TABLE suspension (
  who TEXT PRIMARY KEY,         -- 'user ann' or 'address 10.0.0.1'
  until INTEGER,
  reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The words of messages, by record id, filled in the background. `place` is one word: 'r' and the
-- room's id.
CREATE VIRTUAL TABLE word USING fts5 (
  place, text,
  content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
