"""Which sites' pages may make a browser ask us."""

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest


def is_own_or_allowed_origin(request: HttpRequest) -> bool:
    """Whether the page that asks is ours, or of a site in `security.cors_origins`.

    Programs that are no browsers send no `Origin`, and are let in.
    """
    origin = request.headers.get("origin", "")
    return not origin or _is_own(origin, request) or origin in settings.CONFIG.security.cors_origins


def is_own_origin(request: HttpRequest) -> bool:
    """Whether a browser says that a page of ours asks: what a session's cookie is good for."""
    origin = request.headers.get("origin", "")
    return bool(origin) and _is_own(origin, request)


def _is_own(origin: str, request: HttpRequest) -> bool:
    """A page that came without TLS may be anybody's: it is not ours where we have TLS."""
    if origin == settings.CONFIG.server.public_url:
        return True
    try:
        page = urlsplit(origin)
    except ValueError:
        return False
    schemes = ["https"] if request.is_secure() else ["https", "http"]
    return page.scheme in schemes and page.netloc == request.get_host()
