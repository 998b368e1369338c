"""Django's settings, derived from the configuration (`llmsite/config.py`)."""

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dj_database_url

from .config import ConfigError, load_config
from .logs import logging_config
from .secret import secret_key
from .security import security_settings

BASE_DIR = Path(__file__).resolve().parent.parent

try:
    CONFIG = load_config()
except ConfigError as error:
    sys.exit(f"llmsite cannot start, its configuration is wrong:\n{error}")

DATA_DIR = CONFIG.data_dir.resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)
MODELS_DIR = DATA_DIR / "models"

SECRET_KEY = secret_key(DATA_DIR)
DEBUG = False
# Hosts, cookies, TLS, and what other sites and pages may do.
globals().update(security_settings(CONFIG))

INSTALLED_APPS = [
    "daphne",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "corsheaders",
    "rest_framework",
    "drf_spectacular_sidecar",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "django_prometheus",
    "django_htmx",
    "accounts",
    "inference",
    "chat",
]
MIDDLEWARE = [
    "llmsite.request_id.RequestIdMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "llmsite.csp.PolicyMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "llmsite.language.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.audit.context.CurrentRequestMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.pages.person.SignInRequired",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
# Of requests that the API answers (llmsite/api_handler.py).
API_MIDDLEWARE = [
    "llmsite.request_id.RequestIdMiddleware",
    "llmsite.middleware.MetricsBefore",
    "llmsite.middleware.SecurityMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "accounts.audit.context.CurrentRequestMiddleware",
    "llmsite.middleware.MetricsAfter",
]
ROOT_URLCONF = "llmsite.urls"
ASGI_APPLICATION = "llmsite.asgi.application"
APPEND_SLASH = True
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.pages.offers.offers",
            ]
        },
    }
]

# State: SQLite and process memory, or real servers when there is more than one process.
SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": DATA_DIR / "llmsite.sqlite3",
    "OPTIONS": {
        "transaction_mode": "IMMEDIATE",  # a lock that is missing is waited for, not an error
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    },
    "CONN_MAX_AGE": None,  # one for each of few threads (llmsite/asgi.py)
    "TEST": {"NAME": DATA_DIR / "test.sqlite3"},  # threads see the same file, not the same memory
}
DATABASES = {
    "default": (
        dj_database_url.config(conn_max_age=600, conn_health_checks=True)
        if "DATABASE_URL" in os.environ
        else SQLITE
    )
}
REDIS_URL = os.environ.get("REDIS_URL") or None
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2},
    }
    if REDIS_URL
    else {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 1_000_000},  # counters: what is culled counts anew
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        # Channels waits up to 5 s for a message, as long as this client would for any answer.
        "CONFIG": {
            "hosts": [{"address": REDIS_URL, "socket_timeout": 20, "socket_connect_timeout": 2}]
        },
    }
    if REDIS_URL
    else {"BACKEND": "llmsite.channel_layer.ProcessLayer"}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "accounts.pages.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_SUBJECT_PREFIX = "llmsite: "
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # nobody can make us write to strangers
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = None
ACCOUNT_USERNAME_BLACKLIST = ["local"]  # who everybody is without enable_auth
SOCIALACCOUNT_ADAPTER = "accounts.pages.adapters.SocialAccountAdapter"
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "APPS": [
            {
                "provider_id": provider.id,
                "name": provider.name,
                "client_id": provider.client_id,
                "secret": provider.client_secret.get_secret_value(),
                "settings": {"server_url": provider.server_url},
            }
            for provider in CONFIG.security.oidc_providers
        ]
    }
}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]  # who started it is asked, though it be off now
MFA_ALLOW_UNVERIFIED_EMAIL = True  # addresses are not verified here
MFA_TOTP_ISSUER = "llmsite"

EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend"
    if CONFIG.email.host
    else "django.core.mail.backends.dummy.EmailBackend"
)
EMAIL_HOST, EMAIL_PORT = CONFIG.email.host, CONFIG.email.port
EMAIL_HOST_USER = CONFIG.email.username
EMAIL_HOST_PASSWORD = CONFIG.email.password.get_secret_value() if CONFIG.email.password else ""
EMAIL_USE_TLS = CONFIG.email.use_tls
DEFAULT_FROM_EMAIL = CONFIG.email.sender

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["inference.api.body.JsonBodyParser"],
    "EXCEPTION_HANDLER": "inference.api.errors.handle",
    "DEFAULT_SCHEMA_CLASS": "inference.api.openapi.inspector.Inspector",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "llmsite",
    "DESCRIPTION": "OpenAI's and Anthropic's API, the older service's, and the registry of models.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": ["inference.api.openapi.components.with_components"],
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer"},
            "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
        }
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = int(CONFIG.limits.max_body_mb * 2**20)

# How the engine pool starts its engines; tests take the fake backend.
ENGINE_BACKEND = "llama"
ENGINE_OPTIONS: dict[str, Any] = {}
ENGINE_VERSION = version("llama-cpp-python")

# Pages speak the language that their reader asks for; the API, logs and all else speak the first.
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "llmsite.formats"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
SERVESTATIC_USE_FINDERS = True  # nothing to collect before the first start

LOGGING_CONFIG = None
logging_config(CONFIG.server.log_level, CONFIG.server.log_format)

UNFOLD = {
    "SITE_TITLE": "llmsite",
    "SITE_HEADER": "llmsite",
    "SHOW_VIEW_ON_SITE": True,
    "SITE_FAVICONS": [{"rel": "icon", "href": "llmsite.administration.icon"}],
    "STYLES": ["llmsite.administration.stylesheet"],
    "COLORS": {"primary": "llmsite.administration.greens"},
    "SIDEBAR": {"navigation": "llmsite.administration.navigation"},
}
