"""How a key is sent, and what its holder hears. Who may do what is in `test_access`."""

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from accounts.models import ApiKey

CONFIGURED = "a-key-of-the-configuration"
CHAT = {"model": "fake", "messages": [{"role": "user", "content": "a"}]}
OLDER = {"model-name": "fake", "prompt": "a"}
PATHS = ["/v1/chat/completions", "/v1/completions", "/chat/completions", "/completions"]

pytestmark = pytest.mark.usefixtures("leave_no_connection")


@pytest.fixture(autouse=True)
def keys_required(configure):
    configure(
        security={"enable_auth": True, "api_keys": [CONFIGURED]},
        limits={"default_rate_limit_per_minute": 0},
    )


@pytest.mark.parametrize("whose", ["alice's", "the configuration's"])
@pytest.mark.parametrize(
    ("name", "value"),
    [("authorization", "Bearer {}"), ("authorization", "bearer  {}"), ("x-api-key", "{}")],
)
async def test_with_a_key_everything_answers(api, fake_model, alice, whose, name, value):
    key = {"alice's": alice.text, "the configuration's": CONFIGURED}[whose]
    headers = {name: value.format(key)}
    paths = ["/v1/models", "/v1/models/fake", "/v1/usage", "/models", "/models/fake"]
    assert {(await api.get(path, **headers)).status_code for path in paths} == {200}
    assert (await api.post("/v1/chat/completions", CHAT, **headers)).status_code == 200
    assert (await api.post("/chat/completions", OLDER, **headers)).status_code == 200
    assert (await api.get("/v1/unknown", **headers)).status_code == 404
    assert (await api.get("/v1/completions", **headers)).status_code == 405


async def test_the_dialect_of_a_refused_chat_is_its_bodys(api):
    older = await api.post("/chat/completions", OLDER)
    openais = await api.post("/chat/completions", CHAT)
    assert isinstance(older.json()["error"], str)
    assert openais.json()["error"]["code"] == "invalid_api_key"
    assert {older.status_code, openais.status_code} == {401}


@pytest.mark.parametrize("path", PATHS)
async def test_a_bad_body_tells_nobody_without_a_key_more(api, path):
    assert (await api.send(path, b"{")).status_code == 401


async def test_methods_that_nobody_has_heard_of_need_a_key_too(api):
    refused = await api.request("PROPFIND", "/v1/models")
    assert (refused.status_code, refused["www-authenticate"]) == (401, "Bearer")


async def test_a_refusal_does_not_repeat_the_key(api):
    response = await api.get("/v1/models", authorization="Bearer nearly-the-right-key")
    assert b"nearly" not in response.content


class TestWhoeverHoldsAKey:
    async def why(self, who):
        response = await who.api.get("/v1/models")
        assert response.status_code == 401
        return response.json()["error"]["message"]

    async def test_hears_that_it_was_revoked(self, alice):
        assert (await alice.api.get("/v1/models")).status_code == 200
        await sync_to_async(alice.key.revoke)()
        assert await self.why(alice) == f"The API key {alice.key.shown} was revoked."

    async def test_hears_when_it_expired(self, alice):
        alice.key.expires_at = timezone.now()
        await alice.key.asave()
        ended = f"{alice.key.expires_at:%Y-%m-%d %H:%M} UTC"
        assert await self.why(alice) == f"The API key {alice.key.shown} expired at {ended}."

    async def test_hears_that_their_account_is_closed(self, alice):
        alice.user.is_active = False
        await alice.user.asave()
        shown = alice.key.shown
        assert await self.why(alice) == f"The account of the API key {shown} is not active."

    async def test_hears_no_more_than_a_stranger_if_it_is_not_quite_it(self, api, alice):
        await sync_to_async(alice.key.revoke)()
        guess = alice.text[:-1]
        told = await api.get("/v1/models", authorization=f"Bearer {guess}")
        assert told.json()["error"]["message"] == "The API key is not valid."

    async def test_has_two_while_it_is_rotated(self, api, alice):
        _, text = await sync_to_async(alice.key.rotate)(timedelta(hours=1))
        answers = [await api.get("/v1/models", **{"x-api-key": key}) for key in (alice.text, text)]
        assert [answer.status_code for answer in answers] == [200, 200]
        await ApiKey.objects.filter(pk=alice.key.pk).aupdate(expires_at=timezone.now())
        answers = [await api.get("/v1/models", **{"x-api-key": key}) for key in (alice.text, text)]
        assert [answer.status_code for answer in answers] == [401, 200]

    async def test_can_see_when_it_was_used(self, alice):
        before = timezone.now()
        await alice.api.get("/v1/models")
        await alice.key.arefresh_from_db()
        assert before <= alice.key.last_used_at <= timezone.now()

    async def test_and_a_bearer_that_is_wrong_is_not_helped_by_the_other_header(self, api, alice):
        headers = {"authorization": "Bearer wrong", "x-api-key": alice.text}
        assert (await api.get("/v1/models", **headers)).status_code == 401
