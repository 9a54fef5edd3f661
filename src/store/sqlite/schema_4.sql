-- Version 4: mentions.

-- The messages that may name somebody, whom the inbox counts apart: whom they name follows from their
-- texts, so that edits, deletions and retention need no rows of their own.
CREATE INDEX mention ON record (room, seq) WHERE kind = 0 AND instr(text, '@') > 0;
