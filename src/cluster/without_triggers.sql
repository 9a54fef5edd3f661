-- The triggers by which webhooks and devices were told of records: they cost each batch a quarter of a lone message, although
-- there was nobody to be told. chinwag.append_1 does it now.
--
-- A transaction of its own, behind that in which chinwag.append_1 became another: whoever was in the former one has waited
-- for that at the table of the rooms, goes on with what it had begun, and relies on the triggers. It is waited for here: also who has only locked rows, which
-- a weaker lock would let pass.
LOCK TABLE chinwag.room IN EXCLUSIVE MODE;
DROP TRIGGER IF EXISTS record_entered ON chinwag.record;
DROP TRIGGER IF EXISTS record_pushed ON chinwag.record;
DROP FUNCTION IF EXISTS chinwag.enter_records_1();
DROP FUNCTION IF EXISTS chinwag.push_entered_1();

INSERT INTO chinwag.meta VALUES ('additions', '8') ON CONFLICT (key) DO UPDATE SET value = excluded.value;
