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
