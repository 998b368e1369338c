"""Django's security settings, derived from the configuration."""

from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE

from .config import LOOPBACK, Config

YEAR_SECONDS = 365 * 24 * 3600

# What a page may load and where it may lead: our own files, and nothing inline.
OWN_PAGES: dict[str, list[str]] = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF],
    "img-src": [SELF, "data:"],  # the QR code for a second factor
    "font-src": [SELF],
    "connect-src": [SELF],
    "form-action": [SELF],
    "frame-ancestors": [NONE],
    "base-uri": [NONE],
}
# The administration is django-unfold's: Alpine compiles the expressions in its templates,
# and colours and widths are inline styles. Scripts are files of ours there, too.
ADMINISTRATION = {
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
}

# Two demands of `check --deploy` that are not ours to meet: other hosts under the public
# name would be forced to TLS for a year, or for good. What the first would protect from,
# cookies planted by such a host, the cookies' prefix prevents.
SILENCED = ["security.W005", "security.W021"]

# SDKs send more of their own with each version, and we read none of those.
ACCEPTED_HEADERS = ["*", "authorization", "x-api-key", "idempotency-key"]
SHOWN_HEADERS = (
    "idempotent-replayed",
    "request-id",
    "retry-after",
    "x-context",
    "x-ignored-params",
    "x-receipt",
    "x-request-id",
    "x-should-retry",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    *(
        f"x-ratelimit-{what}-{unit}"
        for what in ("limit", "remaining", "reset")
        for unit in ("requests", "tokens")
    ),
)


def security_settings(config: Config) -> dict[str, Any]:
    return {
        "ALLOWED_HOSTS": _allowed_hosts(config),
        "CSRF_TRUSTED_ORIGINS": [config.server.public_url] if config.server.public_url else [],
        "X_FRAME_OPTIONS": "DENY",
        "SESSION_COOKIE_HTTPONLY": True,
        "CSRF_COOKIE_HTTPONLY": True,
        "LANGUAGE_COOKIE_HTTPONLY": True,
        "LANGUAGE_COOKIE_SAMESITE": "Lax",
        "LANGUAGE_COOKIE_AGE": YEAR_SECONDS,
        "SILENCED_SYSTEM_CHECKS": SILENCED,
        "CONTENT_SECURITY_POLICY": {"DIRECTIVES": _policy(config)},
        **_cors(config),
        **(_tls() if is_served_over_tls(config) else {}),
    }


def is_served_over_tls(config: Config) -> bool:
    return config.server.public_url.startswith("https:")


def _allowed_hosts(config: Config) -> list[str]:
    if config.security.i_understand_anyone_can_use_this and not config.security.enable_auth:
        return ["*"]
    public = urlsplit(config.server.public_url).hostname
    named = [*LOOPBACK, config.server.host, *([public] if public else [])]
    return [*map(_bracketed, named), *config.server.allowed_hosts]


def _bracketed(host: str) -> str:
    """As it stands in an address."""
    return f"[{host}]" if ":" in host else host


def _tls() -> dict[str, Any]:
    """How a request came is known from `llmsite.proxies`, so no header is named here."""
    return {
        "SECURE_SSL_REDIRECT": True,
        # They are asked from inside, where there is no TLS.
        "SECURE_REDIRECT_EXEMPT": [r"^(health|readiness|metrics)$"],
        "SECURE_HSTS_SECONDS": YEAR_SECONDS,
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "LANGUAGE_COOKIE_SECURE": True,
        # Browsers take these from this very host over TLS only, whoever else owns the domain.
        "SESSION_COOKIE_NAME": "__Host-sessionid",
        "CSRF_COOKIE_NAME": "__Host-csrftoken",
        "LANGUAGE_COOKIE_NAME": "__Host-language",
        "ACCOUNT_DEFAULT_HTTP_PROTOCOL": "https",
    }


def _cors(config: Config) -> dict[str, Any]:
    """Only the API is for other sites, and a key, never a cookie, opens it to them."""
    return {
        "CORS_ALLOWED_ORIGINS": config.security.cors_origins,
        "CORS_URLS_REGEX": r"^/v1/.*$",
        "CORS_ALLOW_HEADERS": ACCEPTED_HEADERS,
        "CORS_EXPOSE_HEADERS": SHOWN_HEADERS,
    }


def _policy(config: Config) -> dict[str, list[str]]:
    """Signing in elsewhere begins with a form that leads there: browsers check that, too."""
    elsewhere = [_origin(provider.server_url) for provider in config.security.oidc_providers]
    return {**OWN_PAGES, "form-action": [SELF, *elsewhere]}


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
