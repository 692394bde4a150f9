UPDATE message SET
    action = COALESCE(detail::jsonb ->> 'action', ''),
    to_operator = COALESCE((detail::jsonb ->> 'to_operator')::boolean, FALSE)::integer;
