"""Words in a person's conversations: titles and messages, by the database's own full-text index."""

from .hits import Hit, Part, search

__all__ = ["Hit", "Part", "search"]
