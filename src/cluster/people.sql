-- People beside the rooms: a row for each identity, account, login, invite, key, suspension, revoked token, block and
-- report (`kind`, as src/cluster/node/people has them), all of which the nodes keep in memory.
CREATE TABLE chinwag.people (
  kind smallint NOT NULL,
  key text COLLATE "C" NOT NULL,
  other text COLLATE "C",                -- a second key that only one row of the kind may have
  numbers bigint[] NOT NULL,
  texts text[] NOT NULL,
  PRIMARY KEY (kind, key)
);
CREATE UNIQUE INDEX people_other ON chinwag.people (kind, other) WHERE other IS NOT NULL;

-- Rises with each change of people that other nodes have to learn.
INSERT INTO chinwag.meta VALUES ('people', '0');

CREATE TABLE chinwag.audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at bigint NOT NULL,
  "by" text,
  act text NOT NULL,
  whom text NOT NULL,
  room text
);
CREATE INDEX audit_room ON chinwag.audit (room, id);
