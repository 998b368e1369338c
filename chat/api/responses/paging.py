"""Lists of items, a page at a time, in OpenAI's form."""

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request

from inference.api.refusals import ApiError

from .query import number, one_of

PAGE, LARGEST_PAGE = 20, 100


def page_of(items: Sequence[dict[str, Any]], request: Request) -> dict[str, Any]:
    """`?limit=&order=&after=`; `items` are the oldest first, a page the newest unless asked.

    Raises:
        ApiError: naming a parameter that cannot be used.
    """
    if one_of(request, "order", ("desc", "asc")) == "desc":
        items = items[::-1]
    after = request.query_params.get("after")
    start = 0 if after is None else _index(items, after) + 1
    limit = number(request, "limit", at_least=1, at_most=LARGEST_PAGE) or PAGE
    page = items[start : start + limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": start + limit < len(items),
    }


def _index(items: Sequence[dict[str, Any]], id: str) -> int:
    ids = [item["id"] for item in items]
    if id not in ids:
        raise ApiError(f"after: there is no {id[:100]!r}", param="after")
    return ids.index(id)
