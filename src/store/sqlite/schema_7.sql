-- Version 7: users say something of themselves.

-- The display name and the status text of a user who has one of them.
CREATE TABLE profile (
  user TEXT PRIMARY KEY,
  display TEXT NOT NULL,        -- empty: none
  text TEXT NOT NULL,           -- empty: none
  until INTEGER                 -- when the status text ends; NULL: when it is changed
) STRICT, WITHOUT ROWID;
