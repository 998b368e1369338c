"""Django for programs: without sessions, forms and all else that only pages need."""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.urls import Resolver404, URLResolver
from django.urls.resolvers import RegexPattern

Application = Callable[[Any, Any, Any], Awaitable[None]]

MOST_PATHS = 1000


class ApiMiddleware:
    """For a handler: the middleware of `settings.API_MIDDLEWARE`, and no other."""

    def load_middleware(self, is_async: bool = False) -> None:
        everything, settings.MIDDLEWARE = settings.MIDDLEWARE, settings.API_MIDDLEWARE
        try:
            super().load_middleware(is_async)  # type: ignore[misc]
        finally:
            settings.MIDDLEWARE = everything


class ApiHandler(ApiMiddleware, ASGIHandler):
    pass


class ByPath:
    """Sends what the API has a path for to one application, and all else to the other."""

    def __init__(self, api: Application, pages: Application) -> None:
        self._api = api
        self._pages = pages
        self._paths = URLResolver(RegexPattern(r"^/"), "llmsite.api_urls")
        self.is_for_programs = lru_cache(MOST_PATHS)(self._has)  # Django looks once more

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        application = self._api if self.is_for_programs(scope["path"]) else self._pages
        await application(scope, receive, send)

    def _has(self, path: str) -> bool:
        try:
            return bool(self._paths.resolve(path))
        except Resolver404:
            return False
