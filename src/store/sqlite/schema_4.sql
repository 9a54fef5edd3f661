-- Version 4: mentions, devices.

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
