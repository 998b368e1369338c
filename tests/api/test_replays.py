"""Who may have an answer again: whoever may use its model now."""

import uuid
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from accounts.models import IdempotentAnswer, Lease
from inference.models import LanguageModel

from .client import body_of, eventually, reading

pytestmark = pytest.mark.usefixtures("fake_model", "leave_no_connection")

OTHER = uuid.UUID(int=7)  # another server process
OPENAIS_CHAT = {"model": "gpt-fake", "messages": [{"role": "user", "content": "a b c"}]}
COMPLETION = {"model": "fake", "prompt": "a b c"}
TEXT_CHAT = {"model-name": "fake", "prompt": "a b c"}
ALL = [
    ("/v1/chat/completions", OPENAIS_CHAT),
    ("/v1/chat/completions", {**OPENAIS_CHAT, "stream": True}),
    ("/v1/completions", COMPLETION),
    ("/chat/completions", OPENAIS_CHAT),
    ("/chat/completions", TEXT_CHAT),
    ("/completions", COMPLETION),
    ("/completions", {**COMPLETION, "stream": True}),
]
FORBIDDEN = "The model 'fake' is not allowed (rule allowed_models of user alice)."

each = pytest.mark.parametrize(("path", "body"), ALL)


@pytest.fixture(autouse=True)
def keys_required(configure):
    cache.clear()
    configure(security={"enable_auth": True}, limits={"default_rate_limit_per_minute": 0})


@pytest.fixture
def ask(alice):
    """Alice asks under the key `k`."""

    async def ask(path="/v1/chat/completions", body=OPENAIS_CHAT, **fields):
        return await alice.api.post(path, {**body, **fields}, **{"idempotency-key": "k"})

    return ask


async def until_kept():
    await eventually(IdempotentAnswer.objects.exclude(status=None).aexists)


def sentence(response):
    error = response.json()["error"]
    return error if isinstance(error, str) else error["message"]


@each
async def test_an_answer_of_a_model_that_a_policy_forbids_by_now_is_refused(ask, alice, path, body):
    await body_of(await ask(path, body))
    await until_kept()
    rule = await alice.rules("user", allowed_models=["other"])
    refused = await ask(path, body)
    assert (refused.status_code, sentence(refused)) == (403, FORBIDDEN)
    assert "idempotent-replayed" not in refused
    rule.allowed_models = ["fa*"]
    await rule.asave()
    assert (await ask(path, body))["idempotent-replayed"] == "true"


@each
async def test_an_answer_of_a_model_that_is_disabled_is_not_there(ask, path, body):
    await body_of(await ask(path, body))
    await until_kept()
    await LanguageModel.objects.aupdate(enabled=False)
    refused = await ask(path, body)
    assert refused.status_code == 404
    assert sentence(refused).startswith("The model ")


async def test_an_answer_of_a_model_that_is_gone_is_not_there(ask):
    await ask()
    await until_kept()
    await LanguageModel.objects.all().adelete()
    assert (await ask()).json()["error"]["code"] == "model_not_found"


async def test_a_stream_under_way_is_not_joined_by_whom_its_model_is_forbidden(
    ask, alice, engine_options
):
    engine_options(fake_step_seconds=0.02)
    async with reading(await ask(stream=True, ignore_eos=True, max_tokens=50)) as parts:
        await anext(parts)
        await alice.rules("user", allowed_models=["other"])
        refused = await ask(stream=True, ignore_eos=True, max_tokens=50)
    assert (refused.status_code, sentence(refused)) == (403, FORBIDDEN)


@pytest.mark.parametrize("is_stream", [True, False])
async def test_what_another_process_computes_is_not_waited_for_by_them(ask, alice, is_stream):
    await body_of(await ask(stream=is_stream))
    await until_kept()
    ends_at = timezone.now() + timedelta(seconds=60)
    await Lease.objects.acreate(holder=OTHER, expires_at=ends_at)
    await IdempotentAnswer.objects.aupdate(holder=OTHER, status=None, body=None)
    await alice.rules("user", allowed_models=["other"])
    refused = await ask(stream=is_stream)
    assert (refused.status_code, sentence(refused)) == (403, FORBIDDEN)


async def test_who_asks_first_is_asked_for_the_model_once(ask, monkeypatch):
    asked = []

    async def refuse(*args):
        asked.append(args)

    monkeypatch.setattr("inference.api.idempotency.allowed_model", refuse)
    await ask()
    assert asked == []
    await ask()
    assert len(asked) == 1
