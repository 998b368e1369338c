"""Everything that is somebody's, asked for by Alice, whose it is, Bob of her team, and Charlie."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.db import connections
from django.test import AsyncClient
from django.utils import timezone

from accounts.models import ApiKey, AuditEntry, Policy, PromptRecord, UsageRecord
from inference.models import LanguageModel
from tests.accounts.site import configured
from tests.api.people import Person

CHAT = {"model": "fake", "messages": [{"role": "user", "content": "a b"}]}
Ask = Callable[[Person, dict[str, Any]], Awaitable[Any]]


class Thing(NamedTuple):
    """How it is asked for, and what each of them gets."""

    ask: Ask
    alice: Any
    bob: Any
    charlie: Any


@pytest.fixture(autouse=True)
async def site(settings, fake_model):
    configured(settings, limits={"default_rate_limit_per_minute": 0})
    yield
    await sync_to_async(connections.close_all)()  # the thread's that tests' own queries run on


@pytest.fixture
def people(transactional_db) -> dict[str, Person]:
    """Alice and Bob are the team; the model `secret` is kept from Charlie."""
    made = {name: Person.make(name) for name in ("alice", "bob", "charlie")}
    team = Group.objects.create(name="team")
    team.user_set.set([made["alice"].user, made["bob"].user])
    Policy.objects.create(group=team, tokens_per_day=10_000)
    LanguageModel.objects.create(slug="secret", source="file:///s", file="/s.gguf")
    Policy.objects.create(user=made["charlie"].user, allowed_models=["fake"])
    return made


@pytest.fixture
def hers(people) -> dict[str, Any]:
    """Alice, and what is hers by the names that paths have for it."""
    alice = people["alice"]
    facts = {"uid": uuid.uuid4(), "at": timezone.now(), "user": alice.user, "owner": "alice"}
    tokens = {"prompt_tokens": 4321, "status": "stop", "endpoint": "chat"}
    usage = UsageRecord.objects.create(key=alice.key, model="of-alice", **tokens, **facts)
    prompt = PromptRecord.objects.create(model="of-alice", prompt="of alice", **facts)
    policy = Policy.objects.create(key=alice.key, max_running=5)
    entry = AuditEntry.objects.order_by("-number").first()
    rows = {"key": alice.key, "usage": usage, "prompt": prompt, "policy": policy, "entry": entry}
    return {"alice": alice, "user": alice.user.pk, **{name: row.pk for name, row in rows.items()}}


async def browser_of(person: Person) -> AsyncClient:
    browser = AsyncClient()
    await browser.aforce_login(person.user)
    return browser


def page(path: str) -> Ask:
    """The status of a page."""

    async def ask(person, hers):
        return (await (await browser_of(person)).get(path.format(**hers))).status_code

    return ask


def form(path: str, **fields: str) -> Ask:
    """The status of a form that is sent, and whether her key is another now."""

    async def ask(person, hers):
        before = await ApiKey.objects.filter(pk=hers["key"]).values().aget()
        response = await (await browser_of(person)).post(path.format(**hers), fields)
        after = await ApiKey.objects.filter(pk=hers["key"]).values().aget()
        return response.status_code, after != before

    return ask


def shown(path: str, text: str) -> Ask:
    """Whether a page has that text."""

    async def ask(person, hers):
        response = await (await browser_of(person)).get(path)
        parts = [part async for part in response] if response.streaming else [response.content]
        return response.status_code, text in b"".join(parts).decode()

    return ask


def told(path: str, text: str) -> Ask:
    """Whether the API's answer has that text."""

    async def ask(person, hers):
        response = await person.api.get(path)
        return response.status_code, text in response.content.decode()

    return ask


def answered(path: str) -> Ask:
    """The API's status."""

    async def ask(person, hers):
        return (await person.api.get(path)).status_code

    return ask


async def replayed(person: Person, hers: dict[str, Any]) -> bool:
    """Whether the request that Alice has made gets the answer that she got."""
    responses = [
        await who.api.post("/v1/chat/completions", CHAT, **{"idempotency-key": "k"})
        for who in (hers["alice"], person)
    ]
    assert [response.status_code for response in responses] == [200, 200]
    return "idempotent-replayed" in responses[1]


YES, NO = (200, True), (200, False)
OWN, ADMIN = "/accounts/keys/{key}", "/admin/accounts"
THINGS = {
    # Keys and their pages
    "the list of keys": Thing(shown("/accounts/keys/", "alice&#x27;s laptop"), YES, NO, NO),
    "a key's name": Thing(page(f"{OWN}/rename/"), 200, 404, 404),
    "a key's rotation": Thing(page(f"{OWN}/rotate/"), 200, 404, 404),
    "a key's revocation": Thing(page(f"{OWN}/revoke/"), 200, 404, 404),
    "renaming": Thing(form(f"{OWN}/rename/", name="mine"), (302, True), (404, False), (404, False)),
    "rotating": Thing(
        form(f"{OWN}/rotate/", old_ends="24"), (200, True), (404, False), (404, False)
    ),
    "revoking": Thing(form(f"{OWN}/revoke/"), (302, True), (404, False), (404, False)),
    # Usage
    "the usage on the page": Thing(shown("/accounts/keys/", "4,321 tokens"), YES, NO, NO),
    "the usage as CSV": Thing(shown("/accounts/usage.csv", "of-alice"), YES, NO, NO),
    "the usage in the API": Thing(told("/v1/usage", "of-alice"), YES, NO, NO),
    "the key's quotas": Thing(told("/v1/usage", "max_running"), YES, NO, NO),
    "the team's quotas": Thing(told("/v1/usage", "group team"), YES, YES, NO),
    # Answers
    "an answer under an Idempotency-Key": Thing(replayed, True, False, False),
    # Models
    "the list of models": Thing(told("/v1/models", "secret"), YES, YES, NO),
    "the older list of models": Thing(told("/models", "secret"), YES, YES, NO),
    "a model": Thing(answered("/v1/models/secret"), 200, 200, 403),
    "a model in the older dialect": Thing(answered("/models/secret"), 200, 200, 403),
    "the models on the first page": Thing(shown("/", "secret"), YES, YES, NO),
    # The administration, which none of them is let into: not to their own rows either
    **{
        f"{path} in the administration": Thing(page(f"{ADMIN}/{path}"), 302, 302, 302)
        for path in [
            *("apikey/", "apikey/add/", "apikey/{key}/change/", "apikey/{key}/rotate/"),
            *("apikey/{key}/revoke/", "apikey/{key}/delete/", "user/", "user/{user}/change/"),
            *("policy/", "policy/{policy}/change/", "usagerecord/", "usagerecord/export/"),
            *("usagerecord/{usage}/change/", "promptrecord/", "promptrecord/{prompt}/change/"),
            *("auditentry/", "auditentry/export/", "auditentry/{entry}/change/"),
        ]
    },
}


@pytest.mark.parametrize("name", ["alice", "bob", "charlie"])
@pytest.mark.parametrize("thing", THINGS.values(), ids=[*THINGS])
async def test_what_is_alices_is_for_whom_it_may_be(people, hers, thing, name):
    assert await thing.ask(people[name], hers) == getattr(thing, name)


async def test_nothing_is_for_whoever_has_not_signed_in(hers):
    for path in ("/accounts/keys/", f"{OWN}/rename/", "/accounts/usage.csv", f"{ADMIN}/apikey/"):
        response = await AsyncClient().get(path.format(**hers))
        assert (response.status_code, "/login/" in response["location"]) == (302, True)
