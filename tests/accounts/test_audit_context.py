"""Who did it, from where and in which request."""

import getpass
import threading
from types import SimpleNamespace

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.test import AsyncRequestFactory, RequestFactory

from accounts import audit
from accounts.audit import log
from accounts.audit.context import CurrentRequestMiddleware, current_request
from accounts.audit.signals import user_logged_in
from accounts.models import AuditEntry, User
from llmsite.sections import Security, Server


class Caller:
    """As the API sees one: no row of `User`, but perhaps one behind it."""

    is_authenticated = True

    def __init__(self, user: User | None) -> None:
        self.user = user

    def __str__(self) -> str:
        return "config:ab12cd34"


def entry_during_request_of(user, **given):
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.7")
    request.user, request.request_id = user, "req_1"
    made = []

    def view(_):
        made.append(audit.record("policy.changed", **given))
        return HttpResponse()

    CurrentRequestMiddleware(view)(request)
    return made[0]


def entry_on_a_thread():
    made = []
    thread = threading.Thread(target=lambda: made.append(log._name_outside()))
    thread.start()
    thread.join()
    return made[0]


def test_the_current_request_says_who_where_and_which(alice):
    entry = entry_during_request_of(alice)

    assert (entry.actor, entry.actor_name) == (alice, "alice")
    assert (entry.address, entry.request_id) == ("192.0.2.7", "req_1")


def test_who_is_given_counts_more_than_the_request(alice, bob):
    entry = entry_during_request_of(alice, actor=bob)
    assert (entry.actor, entry.actor_name, entry.address) == (bob, "bob", "192.0.2.7")

    entry = entry_during_request_of(alice, actor_name="retention")
    assert (entry.actor, entry.actor_name) == (None, "retention")


def test_an_api_key_speaks_for_its_person(alice):
    entry = entry_during_request_of(Caller(alice))

    assert (entry.actor, entry.actor_name) == (alice, "alice")


def test_a_caller_without_a_person_is_known_by_name(db):
    entry = entry_during_request_of(Caller(None))

    assert (entry.actor, entry.actor_name) == (None, "config:ab12cd34")


def test_a_browser_that_is_not_signed_in_is_anonymous(db, settings):
    settings.CONFIG = SimpleNamespace(security=Security(enable_auth=True), server=Server())
    entry = entry_during_request_of(AnonymousUser())

    assert (entry.actor, entry.actor_name) == (None, "anonymous")


def test_without_authentication_everybody_is_the_local_user(db):
    entry = entry_during_request_of(AnonymousUser())
    assert (entry.actor, entry.actor_name) == (None, "local")

    local = User.objects.local()
    entry = entry_during_request_of(AnonymousUser())
    assert (entry.actor, entry.actor_name) == (local, "local")


def test_a_command_is_known_by_the_account_that_runs_it(db):
    entry = audit.record("user.created")

    assert (entry.actor, entry.actor_name) == (None, f"command {getpass.getuser()}")
    assert (entry.address, entry.request_id) == ("", "")


def test_a_command_of_an_account_without_a_name_is_a_command(db, monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: {}["no such uid"])

    assert audit.record("user.created").actor_name == "command"


def test_what_the_server_does_by_itself_is_the_systems(db):
    assert entry_on_a_thread() == "system"


def test_the_request_is_forgotten_after_its_answer_and_after_an_error():
    def view(request):
        assert current_request() is request
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        CurrentRequestMiddleware(view)(RequestFactory().get("/"))

    assert current_request() is None


async def test_async_views_and_the_threads_they_take_know_the_request():
    async def view(request):
        seen.append(current_request())
        seen.append(await sync_to_async(current_request)())
        return HttpResponse()

    seen = []
    request = AsyncRequestFactory().get("/")
    await CurrentRequestMiddleware(view)(request)

    assert seen == [request, request]
    assert current_request() is None


def test_a_sign_in_by_code_has_an_actor_and_no_request(alice):
    user_logged_in.send(User, request=None, user=alice)

    assert alice.pk in [e.actor_id for e in AuditEntry.objects.all()]
