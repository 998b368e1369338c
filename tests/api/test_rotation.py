"""A rotated key is the same caller: its limits, its answers and its usage go over."""

import pytest
from django.core.cache import cache

from .client import eventually

pytestmark = pytest.mark.usefixtures("fake_model", "leave_no_connection")


@pytest.fixture(autouse=True)
def keys_required(configure):
    cache.clear()
    configure(
        security={"enable_auth": True},
        limits={"default_rate_limit_per_minute": 0},
    )


def message(response):
    return response.json()["error"]["message"]


async def test_requests_of_a_minute_are_counted_on(alice):
    await alice.rules(requests_per_minute=2)
    await alice.api.chat()
    new = await alice.rotated()
    assert (await new.api.chat()).headers["x-ratelimit-remaining-requests"] == "0"
    for one in (new, alice):
        refused = await one.api.chat()
        assert refused.status_code == 429
        assert f"rule requests_per_minute of {one.label('key')}" in message(refused)


async def test_so_are_those_of_the_servers_own_limit(alice, configure):
    configure(limits={"default_rate_limit_per_minute": 2})
    await alice.api.chat()
    new = await alice.rotated()
    assert (await new.api.chat()).headers["x-ratelimit-remaining-requests"] == "0"


async def test_a_spent_quota_stays_spent(alice):
    await alice.rules(tokens_per_day=8)
    assert (await alice.api.chat()).status_code == 200
    new = await alice.rotated()
    refused = await new.api.chat()
    assert refused.status_code == 429
    assert f"rule tokens_per_day of {new.label('key')}" in message(refused)


async def test_a_retry_with_the_new_key_gets_the_old_ones_answer(alice, bob):
    async def ask(person):
        body = {"model": "fake", "messages": [{"role": "user", "content": "a b c"}]}
        return await person.api.post("/v1/chat/completions", body, **{"idempotency-key": "k"})

    first = await ask(alice)
    again = await ask(await alice.rotated())
    assert again.headers["idempotent-replayed"] == "true"
    assert again.content == first.content
    assert "idempotent-replayed" not in (await ask(bob)).headers


async def test_usage_tells_of_all_keys_before_it(alice):
    phone = await alice.another_key()
    await alice.api.chat()
    await phone.api.chat()
    new = await alice.rotated()
    await new.api.chat()

    async def is_told():
        totals = [(await one.api.get("/v1/usage")).json()["total"] for one in (alice, new, phone)]
        return [total["completion_tokens"] for total in totals] == [8, 8, 4]

    await eventually(is_told)
