-- Version 5: threads.

-- The messages of a thread, whose first message is not among them.
CREATE INDEX thread ON record (room, thread, seq) WHERE thread IS NOT NULL;

-- Who follows which thread, and how far who has read it.
CREATE TABLE follow (
  room INTEGER NOT NULL,
  thread INTEGER NOT NULL,      -- the seq of its first message
  user TEXT NOT NULL,
  read INTEGER NOT NULL,        -- up to which seq
  at INTEGER NOT NULL,          -- when that was changed last; those of long ago go first
  off INTEGER NOT NULL,         -- 1: by choice it is not followed, whoever writes in it
  PRIMARY KEY (room, thread, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX follow_user ON follow (user, at);

-- By triggers, so that no way in which a room or a membership can end leaves one behind.
CREATE TRIGGER follow_left AFTER DELETE ON member BEGIN
  DELETE FROM follow WHERE room = OLD.room AND user = OLD.user;
END;
CREATE TRIGGER follow_dropped AFTER DELETE ON room BEGIN
  DELETE FROM follow WHERE room = OLD.id;
END;
