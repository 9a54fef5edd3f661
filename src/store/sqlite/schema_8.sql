-- Version 8: users choose a colour for their names.

-- 0: none is chosen.
ALTER TABLE profile ADD COLUMN color INTEGER NOT NULL DEFAULT 0;
