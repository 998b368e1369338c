"""Pages of an account: a person's keys, and of allauth's what this site uses."""

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.socialaccount import views as social
from allauth.socialaccount.providers.openid_connect import views as oidc
from django.contrib.auth.decorators import login_not_required
from django.urls import path, re_path
from django.views.decorators.cache import never_cache
from django.views.generic import RedirectView
from django.views.i18n import set_language

from . import sign_in, views
from .offers import if_offered

own_pages = [
    path("", RedirectView.as_view(pattern_name="my-keys")),
    path("keys/", views.my_keys, name="my-keys"),
    path("keys/<int:pk>/rename/", views.rename_key, name="my-key-rename"),
    path("keys/<int:pk>/rotate/", views.rotate_key, name="my-key-rotate"),
    path("keys/<int:pk>/revoke/", views.revoke_key, name="my-key-revoke"),
    path("usage.csv", views.my_usage_csv, name="my-usage-csv"),
]

entrance = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("signup/", account.signup, name="account_signup"),
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("language/", login_not_required(set_language), name="set_language"),
]

password = [
    path("password/change/", account.password_change, name="account_change_password"),
    path("password/set/", account.password_set, name="account_set_password"),
    path("password/reset/", sign_in.PasswordResetView.as_view(), name="account_reset_password"),
    path(
        "password/reset/done/",
        if_offered("sends_mail", account.password_reset_done),
        name="account_reset_password_done",
    ),
    path(
        "password/reset/key/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
]

two_factor = [
    path("2fa/", if_offered("has_totp", mfa.index), name="mfa_index"),
    path("2fa/authenticate/", mfa.authenticate, name="mfa_authenticate"),
    path("2fa/reauthenticate/", mfa.reauthenticate, name="mfa_reauthenticate"),
    path(
        "2fa/totp/activate/",
        if_offered("starts_totp", totp.activate_totp),
        name="mfa_activate_totp",
    ),
    path("2fa/totp/deactivate/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path(
        "2fa/recovery-codes/",
        never_cache(recovery_codes.view_recovery_codes),
        name="mfa_view_recovery_codes",
    ),
    path(
        "2fa/recovery-codes/generate/",
        if_offered("has_totp", recovery_codes.generate_recovery_codes),
        name="mfa_generate_recovery_codes",
    ),
    path(
        "2fa/recovery-codes/download/",
        recovery_codes.download_recovery_codes,
        name="mfa_download_recovery_codes",
    ),
]

single_sign_on = [
    path(
        "3rdparty/login/cancelled/",
        if_offered("has_single_sign_on", social.login_cancelled),
        name="socialaccount_login_cancelled",
    ),
    path(
        "3rdparty/login/error/",
        if_offered("has_single_sign_on", login_not_required(social.login_error)),
        name="socialaccount_login_error",
    ),
    path(
        "3rdparty/signup/",
        if_offered("has_single_sign_on", social.signup),
        name="socialaccount_signup",
    ),
    path(
        "3rdparty/",
        if_offered("has_single_sign_on", social.connections),
        name="socialaccount_connections",
    ),
    path(
        "oidc/<slug:provider_id>/login/",
        if_offered("has_single_sign_on", sign_in.start_single_sign_on),
        name="openid_connect_login",
    ),
    path(
        "oidc/<slug:provider_id>/login/callback/",
        if_offered("has_single_sign_on", oidc.callback),
        name="openid_connect_callback",
    ),
]

urlpatterns = [*own_pages, *entrance, *password, *two_factor, *single_sign_on]
