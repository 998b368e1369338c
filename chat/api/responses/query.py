"""What is asked for in an address."""

from rest_framework.request import Request

from inference.api.refusals import ApiError


def flag(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "false").lower()
    if text not in ("true", "false"):
        raise ApiError(f"{name}: {text[:20]!r} is neither true nor false", param=name)
    return text == "true"


def number(request: Request, name: str, *, at_least: int, at_most: int = 2**31 - 1) -> int | None:
    """None if it is not given."""
    text = request.query_params.get(name)
    if text is None:
        return None
    is_short_number = text.isascii() and text.isdigit() and len(text) < 12
    if not (is_short_number and at_least <= int(text) <= at_most):
        why = f"is not a number from {at_least} to {at_most}"
        raise ApiError(f"{name}: {text[:20]!r} {why}", param=name)
    return int(text)


def one_of(request: Request, name: str, choices: tuple[str, ...]) -> str:
    """The first one if it is not given."""
    text = request.query_params.get(name, choices[0])
    if text not in choices:
        raise ApiError(f"{name}: {text[:20]!r} is none of {', '.join(choices)}", param=name)
    return text
