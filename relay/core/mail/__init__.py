"""Reading a mail as mail programs do: addresses, header fields, MIME structure, encodings, charsets and words."""
