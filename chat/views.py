"""Pages for people."""

from typing import Any

from django.conf import settings
from django.contrib.auth.mixins import UserPassesTestMixin
from django.views.generic import TemplateView

from inference import runtime


class HomeView(UserPassesTestMixin, TemplateView):
    """What this service offers, and how to call it."""

    template_name = "home.html"
    login_url = "admin:login"

    def test_func(self) -> bool:
        """With keys required for the API, the page is for people who signed in."""
        return self.request.user.is_authenticated or not settings.CONFIG.security.enable_auth

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            models=runtime.catalogue(),
            base_url=self.request.build_absolute_uri("/").rstrip("/"),
            needs_key=settings.CONFIG.security.enable_auth,
            **kwargs,
        )
