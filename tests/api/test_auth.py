"""With `enable_auth`, nothing but the probes answers somebody without a key."""

import pytest

KEY = "alice-has-a-long-key"
CHAT = {"model": "fake", "messages": [{"role": "user", "content": "a"}]}
OLDER = {"model-name": "fake", "prompt": "a"}

OPENAIS = [
    *[("POST", path) for path in ("/v1/chat/completions", "/v1/completions")],
    *[("GET", path) for path in ("/v1/models", "/v1/models/fake", "/v1/models/a/b", "/metrics")],
    *[(method, "/v1/unknown") for method in ("GET", "POST", "DELETE", "OPTIONS")],
    *[("GET", path) for path in ("/v1/chat/completions", "/v1/completions", "/chat/completions")],
    *[(method, "/v1/models") for method in ("POST", "DELETE", "OPTIONS", "PROPFIND")],
    ("POST", "/metrics"),
    ("POST", "/chat/completions"),
]
OLDERS = [
    *[("GET", path) for path in ("/models", "/models/fake", "/completions")],
    ("POST", "/completions"),
]


@pytest.fixture(autouse=True)
def keys_required(configure):
    configure(
        security={"enable_auth": True, "api_keys": [KEY]},
        limits={"default_rate_limit_per_minute": 0},
    )


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}])
@pytest.mark.parametrize(("method", "path"), OPENAIS)
async def test_without_a_key_every_route_is_401(api, method, path, headers):
    response = await api.request(method, path, **headers)
    assert response.status_code == 401
    assert response["www-authenticate"] == "Bearer"
    assert response["content-type"] == "application/json"
    error = response.json()["error"]
    assert (error["type"], error["code"]) == ("authentication_error", "invalid_api_key")
    assert error["param"] is None


@pytest.mark.parametrize(("method", "path"), OLDERS)
async def test_the_older_dialect_says_401_in_a_sentence(api, method, path):
    response = await api.request(method, path)
    assert (response.status_code, response["www-authenticate"]) == (401, "Bearer")
    assert response.json()["error"].startswith("No API key was given.")


async def test_the_dialect_of_a_refused_chat_is_its_bodys(api):
    older = await api.post("/chat/completions", OLDER)
    openais = await api.post("/chat/completions", CHAT)
    assert isinstance(older.json()["error"], str)
    assert openais.json()["error"]["code"] == "invalid_api_key"
    assert {older.status_code, openais.status_code} == {401}


async def test_a_bad_body_tells_nobody_without_a_key_more(api):
    for path in ("/v1/chat/completions", "/chat/completions", "/completions"):
        assert (await api.send(path, b"{")).status_code == 401


@pytest.mark.django_db(transaction=True)
async def test_the_probes_are_open(api):
    assert (await api.get("/health")).status_code == 200
    assert (await api.get("/readiness")).status_code == 503


@pytest.mark.parametrize("headers", [{"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}])
async def test_with_a_key_they_answer(api, fake_model, headers):
    paths = ["/v1/models", "/v1/models/fake", "/models", "/models/fake", "/metrics"]
    assert {(await api.get(path, **headers)).status_code for path in paths} == {200}
    assert (await api.post("/v1/chat/completions", CHAT, **headers)).status_code == 200
    assert (await api.post("/chat/completions", OLDER, **headers)).status_code == 200
    assert (await api.get("/v1/unknown", **headers)).status_code == 404
    assert (await api.get("/v1/completions", **headers)).status_code == 405


async def test_a_refusal_does_not_repeat_the_key(api):
    response = await api.get("/v1/models", authorization="Bearer nearly-the-right-key")
    assert b"nearly" not in response.content
