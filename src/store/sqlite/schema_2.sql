-- Version 2: restrictions say who ordered them and when, and the words of more scripts stay whole.

ALTER TABLE standing RENAME TO restriction;
ALTER TABLE restriction ADD COLUMN "by" TEXT;     -- the user who ordered it, if that is known
ALTER TABLE restriction ADD COLUMN at INTEGER;  -- when it was ordered
-- Two more kinds: 3 reader, 4 may return after a ban. An invitation of somebody who is banned was
-- the mark of a former member; a reader is one by name, so that leaving does not end it.
UPDATE restriction SET kind = 4 WHERE kind = 2 AND EXISTS (
  SELECT 1 FROM restriction AS ban
  WHERE ban.room = restriction.room AND ban.user = restriction.user AND ban.kind = 0
);
INSERT INTO restriction (room, user, kind, until, reason)
  SELECT room, user, 3, NULL, '' FROM member WHERE role = 0;

-- Who of the members is the oldest: a number that rises with each membership; 0 where it began
-- before this version.
ALTER TABLE member ADD COLUMN joined INTEGER NOT NULL DEFAULT 0;

-- Vowel signs (Mc) and other marks belong to the word that they are in. The index is filled again in
-- the background. A text that goes is taken out of it with the text's own words, so that none of
-- them stays: `contentless_delete` would only mark them as deleted.
DROP TABLE word;
-- The text is the first column: an entry of any other takes two bytes more.
CREATE VIRTUAL TABLE word USING fts5 (
  text, place,
  content = '', columnsize = 0,
  tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
);
INSERT INTO word (word, rank) VALUES ('secure-delete', 1);
DELETE FROM meta WHERE key IN ('words', 'sum');

-- Whose words the topic is, if that is known.
ALTER TABLE room ADD COLUMN topic_by TEXT;

-- Finds the edit of a message that still has its text: the last one.
DROP INDEX edit;
CREATE INDEX edit ON record (room, target) WHERE kind = 2 AND text IS NOT NULL;

-- Find whether a reaction, or a topic, is there already: the last record about it.
CREATE INDEX reaction ON record (room, target, sender, text) WHERE kind = 4;
CREATE INDEX topic ON record (room) WHERE kind = 5;

-- Whose each name is. It stays when the user goes: no name is ever another's.
CREATE TABLE identity (
  name TEXT PRIMARY KEY,
  source INTEGER NOT NULL,      -- 0 none: not proved, 1 guest, 2 account, 3 token, 4 header, 5 key, 6 nobody any more
  issuer TEXT NOT NULL,         -- of tokens, otherwise empty
  subject TEXT NOT NULL,        -- who that is to the source, empty for 0 and 6
  display TEXT,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX subject ON identity (source, issuer, subject) WHERE subject != '';

-- Tokens that are not taken any more. A row goes when no token that it is about can be good.
CREATE TABLE revocation (
  what TEXT PRIMARY KEY,        -- 'jti ID', or 'user NAME': those that were issued until `at`
  at INTEGER NOT NULL,
  until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- The `cid`s of messages that are there as they were sent: such a record answers for its own, and is
-- found by it here. `sent` has those of messages that were changed or are gone, and of all that are
-- older than this version. Its ids rise with `at`.
CREATE TABLE cid (
  hash INTEGER NOT NULL,    -- of room, sender and cid, see cids.rs
  record INTEGER NOT NULL,  -- the record's id
  PRIMARY KEY (hash, record)
) STRICT, WITHOUT ROWID;
INSERT INTO meta SELECT 'forgotten', coalesce(max(id), 0) FROM record;

-- Accounts: whoever has the password of `hash` (argon2id) is the user of this name.
CREATE TABLE account (
  name TEXT PRIMARY KEY,
  hash TEXT NOT NULL,
  admin INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- The logins of accounts, by the SHA-256 of the secret that the device has.
CREATE TABLE login (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  hash BLOB NOT NULL UNIQUE,
  agent TEXT NOT NULL,
  at INTEGER NOT NULL,
  used INTEGER NOT NULL         -- to the minute
) STRICT;
-- Links that invite, by the SHA-256 of their secrets.
CREATE TABLE invite (
  hash BLOB PRIMARY KEY,
  uses INTEGER NOT NULL,        -- how often it can still be used
  until INTEGER NOT NULL,
  rooms TEXT NOT NULL,          -- separated by spaces
  "by" TEXT,                    -- the user who has made it; NULL: a command
  admin INTEGER NOT NULL        -- who uses it becomes an administrator
) STRICT, WITHOUT ROWID;
-- Keys: the program that has the secret with this SHA-256 is the user of this name.
CREATE TABLE program (
  name TEXT PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,
  rooms TEXT NOT NULL,          -- names in which * stands for any text, separated by spaces
  can INTEGER NOT NULL,         -- what it may do there: 1 read, 2 send, 3 both; 6 an incoming hook
  until INTEGER,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Who wants to hear nothing of whom.
CREATE TABLE block (
  user TEXT NOT NULL,
  blocked TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (user, blocked)
) STRICT, WITHOUT ROWID;
-- What was reported and is not settled.
CREATE TABLE report (
  id INTEGER PRIMARY KEY,
  "by" TEXT NOT NULL,
  whom TEXT NOT NULL,
  room TEXT,                    -- NULL: in none
  seq INTEGER,                  -- of the message, if it is about one
  text TEXT NOT NULL,           -- what that said, perhaps cut
  reason TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
-- What owners and administrators have done; it is only added to.
CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  "by" TEXT,                    -- NULL: a command
  act TEXT NOT NULL,
  whom TEXT NOT NULL,
  room TEXT                     -- NULL: in none
) STRICT;
-- Outgoing webhooks. Each is a position in all records, by their ids, and in all notices: what is up to
-- it was delivered, or given up.
CREATE TABLE webhook (
  name TEXT PRIMARY KEY,
  url TEXT NOT NULL,
  rooms TEXT NOT NULL,          -- names in which * stands for any text, separated by spaces
  events INTEGER NOT NULL,      -- a bit for each kind, see webhook.rs of the domain's model
  "except" TEXT,                -- the user of whose doings nothing is told
  signs TEXT NOT NULL,          -- what it signs with, readable
  former TEXT,                  -- likewise, of before ...
  former_until INTEGER,         -- ... until then
  at INTEGER NOT NULL,
  record INTEGER NOT NULL,
  notice INTEGER NOT NULL,
  to_record INTEGER,            -- where the batch ends that is tried again, so that it stays the same
  to_notice INTEGER,
  attempts INTEGER NOT NULL,    -- that failed in a row
  next_at INTEGER NOT NULL,     -- when the next may be made
  ended TEXT,                   -- why nothing more is sent, if so
  revived INTEGER NOT NULL      -- how often a command has asked for another try
) STRICT, WITHOUT ROWID;
-- What webhooks are told and is in no log. Rows go when all of them are past it.
CREATE TABLE notice (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  record INTEGER NOT NULL,      -- it happened after the record of this id and before the next
  at INTEGER NOT NULL,
  kind INTEGER NOT NULL,        -- 0 join, 1 leave, 2 room made, 3 direct message unseen, 4 connection
  room TEXT,
  user TEXT,
  number INTEGER NOT NULL       -- 0: the role; 1: the reason; 3: the seq; 4: twice the connections left, and 1 if it began
) STRICT;
-- What could not be delivered: the part of all records and notices between two positions.
CREATE TABLE dead_letter (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  webhook TEXT NOT NULL,
  at INTEGER NOT NULL,
  record INTEGER NOT NULL,
  notice INTEGER NOT NULL,
  to_record INTEGER NOT NULL,
  to_notice INTEGER NOT NULL,
  events INTEGER NOT NULL,
  why TEXT NOT NULL,
  again INTEGER NOT NULL        -- 1: a command has asked for another try
) STRICT;
