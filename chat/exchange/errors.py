"""Why a file cannot be imported."""


class BadFile(Exception):
    """The text names what is wrong, and where; nothing of the file was imported."""
