-- Version 6: rooms get other names. That is a record of kind 12: its text is the new one, its data the
-- one of before.

-- The names that rooms had before, which lead to them still.
CREATE TABLE former_name (
  name TEXT PRIMARY KEY,
  room INTEGER NOT NULL,
  nth INTEGER NOT NULL          -- they rise from the oldest on
) STRICT, WITHOUT ROWID;
CREATE INDEX former_name_room ON former_name (room, nth);

-- By a trigger, so that no way in which a room can end leaves one behind.
CREATE TRIGGER former_name_dropped AFTER DELETE ON room BEGIN
  DELETE FROM former_name WHERE room = OLD.id;
END;
