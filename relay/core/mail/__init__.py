"""Reads a mail in the same way as mail programs do.

The modules read addresses, header fields, MIME structure, encodings, charsets, words, and the text as a person sees it.
"""
