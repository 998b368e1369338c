"""Pages for people."""

from typing import Any

from django.views.generic import TemplateView

from inference import runtime


class HomeView(TemplateView):
    """What this service offers, and how to call it."""

    template_name = "home.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        base_url = self.request.build_absolute_uri("/").rstrip("/")
        return super().get_context_data(models=runtime.catalogue(), base_url=base_url, **kwargs)
