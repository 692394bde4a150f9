"""Reads a mail as mail programs do: addresses, header fields, MIME structure, encodings, charsets, words, and the
text as a person sees it.
"""
