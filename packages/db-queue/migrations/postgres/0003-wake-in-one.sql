-- One list of topics is one notification nearly always: made in one expression, and not topic by topic, which cost as much as to end the commands.
CREATE OR REPLACE FUNCTION rpc_wake(topics text[]) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
DECLARE
  list text := (SELECT string_agg(coalesce(to_json(topic)::text, 'null'), ',') FROM unnest(topics) AS topic);
  part text;
BEGIN
  IF octet_length(list) <= 7900 THEN
    PERFORM pg_notify('rpc_wake_' || current_schema(), '[' || list || ']');
  ELSIF list IS NOT NULL THEN
    -- A part is as much as fits with the longest topic after it.
    FOR part IN
      SELECT string_agg(one, ',') FROM (
        SELECT one, sum(octet_length(one) + 1) OVER (ROWS UNBOUNDED PRECEDING) / 5900 AS n
          FROM (SELECT coalesce(to_json(topic)::text, 'null') AS one FROM unnest(topics) AS topic) AS each_one) AS numbered GROUP BY n
    LOOP
      PERFORM pg_notify('rpc_wake_' || current_schema(), '[' || part || ']');
    END LOOP;
  END IF;
  RETURN cardinality(topics);
END
$$;
