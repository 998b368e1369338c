"""Who may do what in the administration, beyond the permissions of Django."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from accounts.models import User


def may_act_for(actor: User | AnonymousUser, person: User) -> bool:
    """Whether `actor` may change that person's account, or hold a key of theirs.

    Superusers may for everybody, other staff for themselves and for people who are
    not staff: else whoever may change accounts could take over a stronger one.
    """
    if actor.is_superuser or actor == person:
        return True
    return not (person.is_staff or person.is_superuser)


class ReadOnlyAdmin(ModelAdmin):
    """What the service writes and people only look at."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
