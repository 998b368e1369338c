"""An answer in a conversation that is deleted is computed no further."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.contrib.admin.sites import site
from django.db import transaction
from django.test import AsyncClient
from django.utils import timezone

from accounts.models import User
from chat.models import Conversation, Role, Status
from chat.retention import forget_old
from tests.accounts.site import browser_of, configured
from tests.chat.talk import conversation, message, person


class Told:
    """A channel layer that remembers what was sent."""

    def __init__(self):
        self.sent = []

    async def send(self, channel, event):
        self.sent.append((channel, event))

    async def group_send(self, group, event):
        pass


@pytest.fixture
def told(monkeypatch):
    layer = Told()
    monkeypatch.setattr("chat.stopping.get_channel_layer", lambda: layer)
    return layer


@pytest.fixture
def alice(db, settings):
    configured(settings)
    return person("alice")


def answered(user, title, **columns):
    """A conversation with an answer under way, another that has ended, and nobody's channel."""
    made = conversation(user, title, ("Hi",), **columns)
    message(made, "", made.head, Role.ASSISTANT, channel="ended")
    running = {"status": Status.RUNNING, "channel": f"writer.{title}"}
    message(made, "", made.head, Role.ASSISTANT, **running)
    return made


STOP = {"type": "stop"}


def test_deleting_one_stops_its_answer_only(alice, told, django_capture_on_commit_callbacks):
    cake, _ = answered(alice, "cake"), answered(alice, "pie")
    with django_capture_on_commit_callbacks(execute=True):
        browser_of(alice).post(f"/c/{cake.uid}/delete/")
    assert told.sent == [("writer.cake", STOP)]


def forgotten(user):
    Conversation.objects.update(deleted_at=timezone.now() - timedelta(days=1000))
    forget_old(timezone.now())


def deleted_by_administrators(user):
    admin = site.get_model_admin(Conversation)
    admin.delete_queryset(None, Conversation.objects.all())


def deleted_with_its_owner(user):
    User.objects.filter(pk=user.pk).delete()


@pytest.mark.parametrize("delete", [forgotten, deleted_by_administrators, deleted_with_its_owner])
def test_deleting_many_stops_all_of_their_answers(
    alice, told, delete, django_capture_on_commit_callbacks
):
    for title in ("cake", "pie"):
        answered(alice, title)
    with django_capture_on_commit_callbacks(execute=True):
        delete(alice)
    assert sorted(told.sent) == [("writer.cake", STOP), ("writer.pie", STOP)]
    assert not Conversation.objects.exists()


def test_what_is_not_deleted_after_all_goes_on(alice, told, django_capture_on_commit_callbacks):
    cake = answered(alice, "cake")
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        cake.delete()
        transaction.set_rollback(True)
    assert told.sent == []


async def test_the_writer_heeds_it(settings, socket):
    settings.ENGINE_OPTIONS = {"fake_step_seconds": 0.05}
    accepted = await socket.ask("one two three " * 100)
    await socket.hear_until("delta")
    uid = UUID(accepted["conversation"])
    await AsyncClient().post(f"/c/{uid}/delete/")
    assert (await socket.hear_until("done"))["status"] == "stopped"
