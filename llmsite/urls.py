from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path
from django.views.generic import TemplateView

handler400 = "inference.api.errors.bad_request"

# One door: what slows guessing down, and asks for a code, holds for administrators too.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("accounts.pages.urls")),
    path("api/docs/", TemplateView.as_view(template_name="api_docs.html"), name="api-docs"),
    path("", include("llmsite.api_urls")),
    path("", include("chat.urls")),
]
