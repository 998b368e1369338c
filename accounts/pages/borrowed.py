"""Texts of allauth on our pages whose translations address people as ours do not.

Named here, they are in our catalogue, which comes before its own.
"""

from django.utils.translation import gettext_noop

BORROWED = [
    gettext_noop("Use your password"),
    gettext_noop("Use authenticator app or code"),
    gettext_noop("You cannot deactivate two-factor authentication."),
    gettext_noop(
        "You cannot generate recovery codes without having two-factor authentication enabled."
    ),
    gettext_noop(
        "You cannot activate two-factor authentication until you have verified your email address."
    ),
    gettext_noop("You cannot disconnect your last remaining third-party account."),
    gettext_noop("An error occurred while attempting to login via your third-party account."),
]
