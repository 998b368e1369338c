"""What allauth asks of us: who may make an account, where a request is from, how mail is sent."""

import logging
from smtplib import SMTPException
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.http import HttpRequest

from accounts.addresses import client_address

logger = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.CONFIG.security.allow_sign_up)

    def get_client_ip(self, request: HttpRequest) -> str:
        """What failed sign-ins are counted by."""
        return client_address(request) or "unknown"

    def get_reset_password_from_key_url(self, key: str) -> str:
        """A link that people can open, whatever host the request was for."""
        url: str = super().get_reset_password_from_key_url(key)
        public_url = settings.CONFIG.server.public_url
        return f"{public_url}{urlsplit(url).path}" if public_url else url

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """A failure is for the log alone: shown, it would tell that there is such an account."""
        try:
            super().send_mail(template_prefix, email, context)
        except (OSError, SMTPException):
            logger.exception("a message could not be sent", extra={"template": template_prefix})


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """Whoever the identity provider lets in has an account."""
        return True
