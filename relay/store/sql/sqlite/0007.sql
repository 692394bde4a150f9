UPDATE message SET
    action = COALESCE((SELECT value FROM json_each(detail) WHERE key = 'action'), ''),
    to_operator = COALESCE((SELECT value FROM json_each(detail) WHERE key = 'to_operator'), 0);
