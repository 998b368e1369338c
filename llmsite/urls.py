from django.contrib import admin
from django.urls import include, path

handler400 = "inference.api.errors.bad_request"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("", include("inference.api.urls")),
    path("", include("chat.urls")),
]
