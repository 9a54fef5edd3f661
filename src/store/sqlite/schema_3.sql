-- Version 3: rooms and users are loaded when they are needed.

-- In which rooms a user is, and into which it is invited.
CREATE INDEX member_user ON member (user);
CREATE INDEX invitation ON restriction (user) WHERE kind = 2;

-- The highest epoch.
CREATE INDEX room_epoch ON room (epoch);

-- Up to which renewal of epochs that of the room is its own: see renewals.rs.
ALTER TABLE room ADD COLUMN renewed INTEGER NOT NULL DEFAULT 0;

-- Names that look like another text than themselves: of users that are members, and of
-- rooms. All others are found by their names. The forms are those of lookalikes.rs.
CREATE TABLE lookalike (
  kind INTEGER NOT NULL,        -- 0 user, 1 room
  form TEXT NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (kind, form, name)
) STRICT, WITHOUT ROWID;
