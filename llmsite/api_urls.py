"""What programs ask for; requests for it go past all that only pages need."""

from django.urls import include, path

urlpatterns = [path("", include("inference.api.urls")), path("", include("chat.api.urls"))]
