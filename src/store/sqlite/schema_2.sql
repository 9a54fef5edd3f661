-- Version 2: restrictions say who ordered them and when, and the words of more scripts stay whole.

ALTER TABLE standing RENAME TO restriction;
ALTER TABLE restriction ADD COLUMN "by" TEXT;     -- the user who ordered it, if that is known
ALTER TABLE restriction ADD COLUMN at INTEGER;  -- when it was ordered

-- Vowel signs (Mc) and other marks belong to the word that they are in. The index is filled again in
-- the background.
DROP TABLE word;
CREATE VIRTUAL TABLE word USING fts5 (
  place, text,
  content = '', contentless_delete = 1,
  tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
);
DELETE FROM meta WHERE key IN ('words', 'sum');

-- Finds the edit of a message that still has its text: the last one.
DROP INDEX edit;
CREATE INDEX edit ON record (room, target) WHERE kind = 2 AND text IS NOT NULL;
