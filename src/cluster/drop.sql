-- A room is no more, unless another node has put members into it of whom this one was not told (`known`: up to which
-- counter it was), or has begun it too lately to have put any: whether it is no more. Its records go later.
CREATE OR REPLACE FUNCTION chinwag.drop_2(room_id bigint, room_epoch bigint, node bigint, known bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  -- Ten seconds: far longer than a node takes from beginning a room to its first member.
  lately CONSTANT bigint := 10000;
  room_name text;
BEGIN
  DELETE FROM chinwag.room r WHERE r.id = room_id AND r.epoch = room_epoch
    AND (r.opener = drop_2.node OR r.opened < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - lately)
    AND NOT EXISTS (SELECT 1 FROM chinwag.change c
      WHERE c.room = r.id AND c.kind = 2 AND c.node <> drop_2.node AND c.facts > known)
  RETURNING r.name INTO room_name;
  IF NOT FOUND THEN
    RETURN NOT EXISTS (SELECT 1 FROM chinwag.room r WHERE r.id = room_id);
  END IF;
  DELETE FROM chinwag.lookalike l WHERE l.kind = 1 AND l.name = room_name;
  DELETE FROM chinwag.member m WHERE m.room = room_id;
  DELETE FROM chinwag.restriction x WHERE x.room = room_id;
  DELETE FROM chinwag.change c WHERE c.room = room_id;
  INSERT INTO chinwag.gone VALUES (room_id) ON CONFLICT DO NOTHING;
  RETURN true;
END
$$;
