"""What programs ask for; requests for it go past all that only pages need."""

from django.urls import include, path

# The chat's first: after inference's own, nothing under /v1 is found.
urlpatterns = [path("", include("chat.api.urls")), path("", include("inference.api.urls"))]
