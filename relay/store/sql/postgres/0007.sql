-- An escaped NUL, which jsonb refuses, is left out: older versions stored tags, which may be any text.
UPDATE message SET
    action = COALESCE(plain.detail ->> 'action', ''),
    to_operator = COALESCE((plain.detail ->> 'to_operator')::boolean, FALSE)::integer
FROM (
    SELECT id, REGEXP_REPLACE(detail, '(?<!\\)((?:\\\\)*)\\u0000', '\1', 'g')::jsonb AS detail FROM message
) AS plain
WHERE plain.id = message.id;
