-- Each row of people has the number of its last change, and so has each that is gone, for ten minutes: nodes read what
-- they do not have yet, in that order. Who has not read up to `people floor` reads all of it.
ALTER TABLE chinwag.people ADD COLUMN IF NOT EXISTS changed bigint NOT NULL DEFAULT 0;
CREATE INDEX IF NOT EXISTS people_changed ON chinwag.people (changed, kind, key);
CREATE TABLE IF NOT EXISTS chinwag.people_gone (
  kind smallint NOT NULL,
  key text COLLATE "C" NOT NULL,
  changed bigint NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (kind, key)
);
CREATE INDEX IF NOT EXISTS people_gone_changed ON chinwag.people_gone (changed, kind, key);
INSERT INTO chinwag.meta VALUES ('people floor', '0') ON CONFLICT DO NOTHING;

-- Changes are numbered one after the other: whoever makes one holds the row of their number.
CREATE OR REPLACE FUNCTION chinwag.people_changed_1() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  number bigint;
BEGIN
  SELECT m.value::bigint + 1 INTO number FROM chinwag.meta m WHERE m.key = 'people' FOR UPDATE;
  IF TG_OP = 'DELETE' THEN
    INSERT INTO chinwag.people_gone VALUES (OLD.kind, OLD.key, number,
      (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
    ON CONFLICT ON CONSTRAINT people_gone_pkey DO UPDATE SET changed = excluded.changed, at = excluded.at;
    RETURN OLD;
  END IF;
  NEW.changed := number;
  RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER people_changed BEFORE INSERT OR UPDATE OR DELETE ON chinwag.people
FOR EACH ROW EXECUTE FUNCTION chinwag.people_changed_1();

-- Changes of people, all of them or none: their number since the beginning, NULL if somebody else was first. What is done with each row is in `acts`:
-- 0 it must not be there, 1 it takes the place of what is there, 2 it goes, 3 it goes and must be there, 4 another row
-- must be there, whose first number is the given one (or any, if that is NULL), 5 its first number is used up by one,
-- which must be possible, 6 its last number becomes the given one, 7 all of the kind whose second number is the given one
-- go, 8 an act is noted, 9 its first text becomes the given one, and it is made if it is not there, 10 its first text
-- becomes the first of the given ones, if it is the second of them, 11 of its display name and its status text the given
-- one changes, or both, a text that has ended by the second number goes, and so does the row if it has none, unless the
-- third number is 1, and its second number becomes the fourth, if that is given, from 20 on see chinwag.push_change_1.
CREATE OR REPLACE FUNCTION chinwag.people_1(
  acts bigint[], kinds bigint[], keys text[], others text[], numbers bigint[], texts text[]
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  c record;
  changes bigint;
  is_silent boolean := true;
BEGIN
  BEGIN
    -- One after the other: each sees what was there before.
    PERFORM 1 FROM chinwag.meta m WHERE m.key = 'people' FOR UPDATE;
    FOR c IN
      SELECT u.act, u.kind, u.key, u.other, numbers[u.at * 4 - 3 : u.at * 4] AS numbers,
        texts[u.at * 6 - 5 : u.at * 6] AS texts
      FROM unnest(acts, kinds, keys, others) WITH ORDINALITY AS u(act, kind, key, other, at) ORDER BY u.at
    LOOP
      is_silent := is_silent AND c.act IN (4, 6, 8);
      IF c.act = 0 THEN
        INSERT INTO chinwag.people VALUES (c.kind, c.key, c.other, c.numbers, c.texts) ON CONFLICT DO NOTHING;
      ELSIF c.act = 1 THEN
        INSERT INTO chinwag.people VALUES (c.kind, c.key, c.other, c.numbers, c.texts)
        ON CONFLICT ON CONSTRAINT people_pkey DO UPDATE
          SET other = excluded.other, numbers = excluded.numbers, texts = excluded.texts;
      ELSIF c.act IN (2, 3) THEN
        DELETE FROM chinwag.people p WHERE p.kind = c.kind AND p.key = c.key;
      ELSIF c.act = 4 THEN
        PERFORM 1 FROM chinwag.people p
        WHERE p.kind = c.kind AND p.key = c.key AND (c.numbers[1] IS NULL OR p.numbers[1] = c.numbers[1]);
      ELSIF c.act = 5 THEN
        UPDATE chinwag.people p SET numbers[1] = p.numbers[1] - 1
        WHERE p.kind = c.kind AND p.key = c.key AND p.numbers[1] > 0;
      ELSIF c.act = 6 THEN
        UPDATE chinwag.people p SET numbers[4] = c.numbers[4] WHERE p.kind = c.kind AND p.key = c.key;
      ELSIF c.act = 7 THEN
        DELETE FROM chinwag.people p WHERE p.kind = c.kind AND p.numbers[2] = c.numbers[2];
      ELSIF c.act = 8 THEN
        INSERT INTO chinwag.audit (at, "by", act, whom, room)
        VALUES (c.numbers[1], c.texts[1], c.texts[2], c.texts[3], c.texts[4]);
      ELSIF c.act = 9 THEN
        INSERT INTO chinwag.people AS p VALUES (c.kind, c.key, c.other, c.numbers, c.texts)
        ON CONFLICT ON CONSTRAINT people_pkey DO UPDATE SET texts[1] = excluded.texts[1];
      ELSIF c.act = 10 THEN
        UPDATE chinwag.people p SET texts[1] = c.texts[1]
        WHERE p.kind = c.kind AND p.key = c.key AND p.texts[1] = c.texts[2];
      ELSIF c.act = 11 THEN
        INSERT INTO chinwag.people AS p VALUES (c.kind, c.key, c.other, ARRAY[c.numbers[1], c.numbers[4], NULL, NULL],
          ARRAY[coalesce(c.texts[1], ''), coalesce(c.texts[2], ''), NULL, NULL, NULL, NULL])
        ON CONFLICT ON CONSTRAINT people_pkey DO UPDATE SET
          numbers[1] = CASE WHEN c.texts[2] IS NOT NULL THEN c.numbers[1]
            WHEN p.numbers[1] > c.numbers[2] THEN p.numbers[1] END,
          numbers[2] = coalesce(c.numbers[4], p.numbers[2]),
          texts[1] = coalesce(c.texts[1], p.texts[1]),
          texts[2] = CASE WHEN c.texts[2] IS NOT NULL THEN c.texts[2]
            WHEN p.numbers[1] <= c.numbers[2] THEN '' ELSE p.texts[2] END;
        DELETE FROM chinwag.people p
        WHERE p.kind = c.kind AND p.key = c.key AND p.texts[1] = '' AND p.texts[2] = ''
          AND coalesce(p.numbers[2], 0) = 0 AND c.numbers[3] <> 1;
      ELSIF c.act >= 20 THEN
        PERFORM chinwag.push_change_1(c.act, c.key, c.numbers, c.texts);
      ELSE
        RAISE EXCEPTION 'there is no act %', c.act;
      END IF;
      IF NOT FOUND AND c.act IN (0, 3, 4, 5) THEN
        RAISE EXCEPTION 'somebody else was first' USING ERRCODE = 'CW001';
      END IF;
    END LOOP;
    DELETE FROM chinwag.people p WHERE p.kind = 3 AND p.numbers[1] <= 0;
  EXCEPTION WHEN SQLSTATE 'CW001' THEN
    RETURN NULL;
  END;
  WITH gone AS (
    DELETE FROM chinwag.people_gone g WHERE g.at < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 600000
    RETURNING g.changed
  )
  UPDATE chinwag.meta m SET value = greatest(m.value::bigint, (SELECT max(g.changed) FROM gone g))::text
  WHERE m.key = 'people floor' AND EXISTS (SELECT FROM gone);
  UPDATE chinwag.meta m SET value = (m.value::bigint + CASE WHEN is_silent THEN 0 ELSE 1 END)::text
  WHERE m.key = 'people' RETURNING m.value::bigint INTO changes;
  RETURN changes;
END
$$;
