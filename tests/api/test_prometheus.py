"""Who may scrape: whoever has the token, or administrators if there is none."""

import pytest
from asgiref.sync import sync_to_async

from accounts.models import ApiKey, User

TOKEN = "prometheus-has-this-tökén"
AS_SENT = TOKEN.encode().decode("latin-1")
CONFIGURED = "alice-has-a-long-key"

pytestmark = pytest.mark.django_db(transaction=True)


def bearer(key):
    return {"authorization": f"Bearer {key}"}


@pytest.fixture
def key_of():
    def make(name, **fields):
        return ApiKey.objects.issue(User.objects.create_user(name, **fields), "test")[1]

    return make


@pytest.mark.parametrize("enable_auth", [True, False])
class TestWithAToken:
    @pytest.fixture(autouse=True)
    def token(self, configure, enable_auth):
        configure(
            security={
                "enable_auth": enable_auth,
                "api_keys": [CONFIGURED],
                "metrics_token": TOKEN,
            }
        )

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
    async def test_it_opens_the_page(self, api, scheme):
        response = await api.get("/metrics", authorization=f"{scheme} {AS_SENT}")
        assert response.status_code == 200
        assert b"llmsite_requests_running" in response.content

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"authorization": AS_SENT},
            {"authorization": f"Basic {AS_SENT}"},
            {"x-api-key": AS_SENT},
            *map(bearer, ["", AS_SENT[:-1], f"{AS_SENT}x", AS_SENT.upper(), TOKEN, CONFIGURED]),
        ],
    )
    async def test_nothing_else_does(self, api, headers):
        response = await api.get("/metrics", **headers)
        assert (response.status_code, response["www-authenticate"]) == (401, "Bearer")
        assert response.json()["error"]["code"] == "invalid_api_key"
        assert "security.metrics_token" in response.json()["error"]["message"]

    async def test_an_administrators_key_does_not_either(self, api, key_of, enable_auth):
        key = await sync_to_async(key_of)("alice", is_staff=True)
        assert (await api.get("/metrics", **bearer(key))).status_code == 401

    async def test_it_opens_nothing_else(self, api, configure):
        configure(security={"enable_auth": True})
        assert (await api.get("/v1/models", authorization=f"Bearer {AS_SENT}")).status_code == 401


class TestWithoutAToken:
    @pytest.fixture(autouse=True)
    def keys_required(self, configure):
        configure(security={"enable_auth": True, "api_keys": [CONFIGURED]})

    @pytest.mark.parametrize(("is_staff", "status"), [(True, 200), (False, 403)])
    def test_an_administrators_key_opens_it(self, client, key_of, is_staff, status):
        key = key_of("alice", is_staff=is_staff)
        assert client.get("/metrics", headers=bearer(key)).status_code == status

    def test_so_does_a_key_of_the_configuration(self, client):
        assert client.get("/metrics", headers=bearer(CONFIGURED)).status_code == 200

    def test_the_refusal_says_whom_it_is_for(self, client, key_of):
        response = client.get("/metrics", headers=bearer(key_of("bob")))
        assert "security.metrics_token" in response.json()["error"]["message"]

    @pytest.mark.parametrize("headers", [{}, bearer("wrong")])
    def test_nobody_else(self, client, headers):
        assert client.get("/metrics", headers=headers).status_code == 401

    def test_a_session_is_no_key(self, client):
        client.force_login(User.objects.create_superuser("alice"))
        assert client.get("/metrics").status_code == 401


def test_without_authentication_anybody_here_may(client):
    assert client.get("/metrics").status_code == 200


def test_without_authentication_pages_of_other_sites_may_not(client):
    response = client.get("/metrics", headers={"origin": "http://evil.example"})
    assert response.status_code == 403
