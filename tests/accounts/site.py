"""How tests of pages set the site up, and what they do in it."""

from django.core.cache import cache
from django.test import Client

from llmsite.config import Config

PASSWORD = "a-long-password"  # of those in conftest.py


def configured(settings, *, security=None, **sections):
    """The site with sign-in, and whatever else is given. Counts from before are gone."""
    security = {"enable_auth": True, **(security or {})}
    settings.CONFIG = Config.model_validate({"security": security, **sections})
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast
    cache.clear()


def browser_of(user) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def sign_in(browser, name, password=PASSWORD, **extra):
    return browser.post("/accounts/login/", {"login": name, "password": password}, **extra)


def is_signed_in(browser) -> bool:
    return browser.get("/accounts/keys/").status_code == 200


def text(response) -> str:
    return response.content.decode()
