"""People before the administration's pages, and requests for them to look at."""

import uuid
from datetime import timedelta

from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from accounts.models import UsageRecord, User


def staff(name: str, *permissions: str) -> User:
    """May enter the administration, and do there what is named, such as `view_apikey`."""
    user = User.objects.create_user(name, is_staff=True)
    found = Permission.objects.filter(codename__in=permissions)
    assert found.count() == len(permissions)
    user.user_permissions.set(found)
    return user


def root() -> User:
    return User.objects.create_superuser("root")


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def asked(user=None, days_ago=0, **columns) -> UsageRecord:
    """A request of that person, by default one with ten tokens."""
    usual = {"model": "fake", "endpoint": "chat", "status": "stop"}
    usual |= {"prompt_tokens": 6, "cached_tokens": 2, "completion_tokens": 4}
    usual |= {"owner": user.get_username() if user else "config:ab12cd34"}
    at = timezone.now() - timedelta(days=days_ago)
    return UsageRecord.objects.create(
        **{"uid": uuid.uuid4(), "at": at, "user": user, **usual, **columns}
    )


def text_of(response) -> str:
    return response.content.decode()
