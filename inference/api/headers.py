"""What a client made up, fit for a header."""

from collections.abc import Sequence


def header_list(names: Sequence[str]) -> str:
    shown = [name[:60].encode("unicode_escape").decode() for name in names[:20]]
    return ", ".join(shown)
