"""Where a request comes from."""

from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The client's address, as far as it can be believed."""
    return str(request.META.get("REMOTE_ADDR", ""))
