"""Deterministic answers, and what they came of."""

import json
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.retention import tidy
from inference.models import Receipt
from tests.api.client import events_of, eventually, texts_of

FIXED = {"deterministic": True, "seed": 7}


@pytest.fixture(autouse=True)
def _model(fake_model):
    type(fake_model).objects.update(sha256="ab" * 32, chat_template="{{ messages }}")


@pytest.fixture
def accounts(configure):
    configure(security={"enable_auth": True}, limits={"default_rate_limit_per_minute": 0})


async def test_an_answer_names_its_receipt_and_that_tells_all(api):
    answer = await api.chat("a b c", **FIXED)
    body = answer.json()
    assert answer["x-receipt"] == body["receipt"]

    receipt = (await api.get(f"/v1/receipts/{body['receipt']}")).json()

    assert receipt["id"] == body["receipt"]
    assert (receipt["model"], receipt["model_sha256"]) == ("fake", "ab" * 32)
    assert receipt["params"]["seed"] == 7
    assert len(receipt["template_sha256"]) == 64
    assert (receipt["build"], receipt["device"], receipt["finish_reason"]) == (
        *["fake"] * 2,
        "stop",
    )
    assert receipt["options"]["batch_tokens"] == 512
    assert len(receipt["prompt_tokens"]) == 3
    assert receipt["output_tokens"][:3] == receipt["prompt_tokens"]
    assert receipt["request_id"] == answer["x-request-id"]


async def test_a_stream_names_it_in_each_chunk_and_it_is_there_at_the_end(api):
    answer = await api.chat("a b c", stream=True, **FIXED)
    chunks = await events_of(answer)

    assert {chunk["receipt"] for chunk in chunks if chunk != "[DONE]"} == {answer["x-receipt"]}
    assert texts_of(chunks) == "a b c "
    assert (await api.get(f"/v1/receipts/{answer['x-receipt']}")).status_code == 200


async def test_completions_have_one_too(api):
    answer = await api.complete("a", max_tokens=2, ignore_eos=True, **FIXED)

    receipt = (await api.get(f"/v1/receipts/{answer['x-receipt']}")).json()
    assert len(receipt["prompt_tokens"]) == 1
    assert (len(receipt["output_tokens"]), receipt["finish_reason"]) == (2, "length")


async def test_other_answers_have_none(api):
    answer = await api.chat("a b c", seed=7)
    assert "x-receipt" not in answer
    assert "receipt" not in answer.json()
    assert not await Receipt.objects.aexists()


async def test_an_answer_that_fails_has_none(api):
    answer = await api.chat("fail", **FIXED)
    assert answer.status_code == 500
    assert not await Receipt.objects.aexists()


async def test_one_that_is_left_has_none(api, engine_options):
    engine_options(fake_step_seconds=0.01)
    answer = await api.chat("a b", stream=True, ignore_eos=True, **FIXED)
    parts = aiter(answer)
    await anext(parts)
    await parts.aclose()

    async def is_idle():
        return await api.metric("llmsite_requests_total", outcome="cancelled") > 0

    await eventually(is_idle)
    assert (await api.get(f"/v1/receipts/{answer['x-receipt']}")).status_code == 404


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "seed"),
        ({"seed": -1}, "seed"),
        ({"seed": 1, "n": 2}, "n"),
        ({"seed": 1, "best_of": 2}, "best_of"),
        ({"seed": 1, "prompt": ["a", "b"]}, "prompt"),
    ],
)
async def test_what_cannot_be_deterministic_is_refused(api, fields, param):
    body = {"model": "fake", "prompt": "a", "deterministic": True, **fields}
    answer = await api.post("/v1/completions", body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


async def test_without_chance_it_needs_no_seed(api):
    assert (await api.chat("a", deterministic=True, temperature=0)).status_code == 200


async def test_where_a_site_checks_answers_there_are_no_receipts(api, configure):
    configure(security={"redacted_patterns": ["secret"]})
    answer = await api.chat("a", **FIXED)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "deterministic"


async def test_a_receipt_is_its_owners_alone(accounts, alice, bob):
    await alice.joined_team()
    await bob.joined_team()
    uid = (await alice.api.chat("a b", **FIXED))["x-receipt"]
    phone = await alice.another_key()

    statuses = [(await p.api.get(f"/v1/receipts/{uid}")).status_code for p in (alice, phone, bob)]
    assert statuses == [200, 200, 404]


async def test_it_goes_with_its_owner(accounts, alice):
    await alice.api.chat("a b", **FIXED)
    assert await Receipt.objects.aget() is not None
    await alice.user.adelete()
    assert not await Receipt.objects.aexists()


@pytest.mark.parametrize("name", [str(uuid.UUID(int=4)), "nothing"])
async def test_an_id_that_there_is_not_is_404(api, name):
    answer = await api.get(f"/v1/receipts/{name}")
    assert answer.status_code == 404
    assert json.loads(answer.content)["error"]["code"] == "not_found"


def test_it_is_kept_for_so_long(configure):
    configure(retention={"receipt_days": 2})
    now = timezone.now()
    common = {"owner": "local", "params": {}, "options": {}, "prompt_tokens": []}
    for days in (1, 3):
        Receipt.objects.create(at=now - timedelta(days=days), output_tokens=[days], **common)

    assert tidy(now)["receipts"] == 1
    assert Receipt.objects.get().output_tokens == [1]
