"""In which language a page answers: as the person chose, else as the browser asks."""

from django.conf import settings
from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.urls import reverse
from django.utils import translation


class LanguageMiddleware(LocaleMiddleware):
    """The administration stays in one language: our part of it is written in no other."""

    def process_request(self, request: HttpRequest) -> None:
        if not request.path_info.startswith(reverse("admin:index")):
            super().process_request(request)
            return
        translation.activate(settings.LANGUAGE_CODE)
        request.LANGUAGE_CODE = translation.get_language()
