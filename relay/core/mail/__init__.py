"""Reads mail in the same way as mail programs do.

The modules of this package read addresses, header fields, MIME structure, transfer encodings, charsets, encoded words,
and the text as a person sees it.
"""
