"""Pages for people."""

from typing import Any

from django.conf import settings
from django.views.generic import TemplateView

from accounts.callers import policy_of
from accounts.pages.person import person
from inference import runtime


class HomeView(TemplateView):
    """What this service offers, and how to call it."""

    template_name = "home.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        policy = policy_of(person(self.request))
        return super().get_context_data(
            models=[offer for offer in runtime.catalogue() if policy.allows_model(offer.slug)],
            needs_key=settings.CONFIG.security.enable_auth,
            may_add=self._may_add,
            **kwargs,
        )

    @property
    def _may_add(self) -> bool:
        may_add = self.request.user.has_perm("inference.add_languagemodel")
        return may_add or not settings.CONFIG.security.enable_auth
