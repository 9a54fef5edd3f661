-- Version 4: mentions, devices, files.

-- The messages that may name somebody, whom the inbox counts apart: whom they name follows from their
-- texts, so that edits, deletions and retention need no rows of their own.
CREATE INDEX mention ON record (room, seq) WHERE kind = 0 AND instr(text, '@') > 0;

-- Devices that are told by Web Push.
CREATE TABLE push (
  id INTEGER PRIMARY KEY,
  user TEXT NOT NULL,
  login INTEGER,                -- with which it ends, if its user has an account
  endpoint TEXT NOT NULL UNIQUE,
  p256dh BLOB NOT NULL,         -- the device's public key, 65 bytes
  auth BLOB NOT NULL,           -- what it shares with this server, 16 bytes
  agent TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX push_login ON push (login) WHERE login IS NOT NULL;
-- Whoever ends a login ends its devices: they may be in other hands by now.
CREATE TRIGGER push_ends AFTER DELETE ON login BEGIN
  DELETE FROM push WHERE login = old.id;
END;

-- Files, to which messages refer in what they carry.

-- A file as somebody has sent it. What is in it lies beside the database, under its hash.
CREATE TABLE file (
  id TEXT PRIMARY KEY,
  hash TEXT NOT NULL,           -- SHA-256, hexadecimal
  owner TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  loose INTEGER                 -- since when no message refers to it, in ms; 0: none does any more
) STRICT, WITHOUT ROWID;
CREATE INDEX file_hash ON file (hash);
CREATE INDEX file_owner ON file (owner, bytes);
CREATE INDEX file_loose ON file (loose) WHERE loose IS NOT NULL;

-- Which messages refer to which files.
CREATE TABLE file_use (
  room INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  file TEXT NOT NULL,
  PRIMARY KEY (room, seq, file)
) STRICT, WITHOUT ROWID;
CREATE INDEX file_use_file ON file_use (file);

-- By triggers, so that no way in which a message can go leaves a reference behind: deletion,
-- retention, the end of a room, the erasure of a user, and whatever will come.
CREATE TRIGGER file_use_pruned AFTER DELETE ON record WHEN OLD.data IS NOT NULL BEGIN
  DELETE FROM file_use WHERE room = OLD.room AND seq = OLD.seq;
END;
CREATE TRIGGER file_use_erased AFTER UPDATE OF data ON record
WHEN OLD.data IS NOT NULL AND NEW.data IS NULL BEGIN
  DELETE FROM file_use WHERE room = OLD.room AND seq = OLD.seq;
END;
CREATE TRIGGER file_loose_now AFTER DELETE ON file_use
WHEN NOT EXISTS (SELECT 1 FROM file_use WHERE file = OLD.file) BEGIN
  UPDATE file SET loose = 0 WHERE id = OLD.file;
END;
