"""The error of files that cannot be cleaned."""


class UncleanableError(ValueError):
    """The file is damaged, encrypted, too big or of a form that is not read.

    The message, which says why, is stored in the record.
    """
