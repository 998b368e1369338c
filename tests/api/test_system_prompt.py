"""A model's default system prompt: said to it for all, computed once for all."""

import pytest
from django.core.exceptions import ValidationError

SYSTEM = "be kind and brief"


@pytest.fixture
def apart(configure):
    """Each person's key is their own."""
    configure(security={"enable_auth": True})


@pytest.fixture(autouse=True)
async def system_prompt(fake_model):
    fake_model.system_prompt = SYSTEM
    await fake_model.asave()


async def cached(person, content="hello", **fields):
    body = (await person.api.chat(content, **fields)).json()
    return body["usage"]["prompt_tokens_details"]["cached_tokens"]


async def test_is_what_a_model_is_told_first(api):
    body = (await api.chat("hello")).json()
    assert body["choices"][0]["message"]["content"] == f"{SYSTEM} hello "
    assert body["usage"]["prompt_tokens"] == 5


async def test_makes_place_for_another(api):
    messages = [{"role": "system", "content": "be rude"}, {"role": "user", "content": "hello"}]
    body = (await api.chat(messages=messages)).json()
    assert body["choices"][0]["message"]["content"] == "be rude hello "


async def test_is_counted_and_shown(api):
    messages = [{"role": "user", "content": "hello"}]
    asked = {"model": "fake", "messages": messages}
    counted = await api.post("/v1/chat/completions/input_tokens", asked)
    assert counted.json()["input_tokens"] == 5
    shown = await api.post("/v1/apply-template", asked)
    assert shown.json()["prompt"] == f"{SYSTEM} hello"


@pytest.mark.usefixtures("apart")
async def test_is_computed_once_for_all(alice, bob):
    assert [await cached(alice), await cached(bob)] == [0, 4]


@pytest.mark.usefixtures("apart")
async def test_nothing_that_follows_it_is(alice, bob):
    secret = "my secret is blue"
    assert [await cached(alice, secret), await cached(alice, secret)] == [0, 7]
    assert await cached(bob, secret) == 4


@pytest.mark.usefixtures("apart")
async def test_is_nothing_to_who_wants_no_cache(alice, bob):
    await cached(alice)
    assert await cached(bob, cache_prompt=False) == 0


@pytest.mark.usefixtures("apart")
async def test_is_anybodys_only_while_it_is_the_models(alice, bob, fake_model):
    await cached(alice)
    fake_model.system_prompt = ""
    await fake_model.asave()
    own = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "hello"}]
    assert await cached(bob, messages=own) == 0, "nobody says any more that it is anybody's"


def test_has_a_bound(fake_model):
    fake_model.system_prompt = "x" * 20_001
    with pytest.raises(ValidationError, match="20000"):
        fake_model.full_clean()
