"""Defines the error for files that cannot be cleaned."""


class UncleanableError(ValueError):
    """Raised for a file that is damaged, encrypted, too big or in a form that the cleaner cannot read.

    The text of the error gives the cause and is stored in the record.
    """
