"""The one word for what cannot be cleaned."""


class UncleanableError(ValueError):
    """Damaged, encrypted, too big or of a form that is not looked into; the message says which, and is kept."""
