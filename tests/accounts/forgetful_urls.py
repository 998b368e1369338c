"""A page whose author thought of nobody."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from llmsite.urls import urlpatterns as all_others


def forgotten(request: HttpRequest) -> HttpResponse:
    return HttpResponse("for anybody?")


urlpatterns = [*all_others, path("forgotten/", forgotten)]
