"""Keys and quotas with the official client, against a running service, and through its death."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import openai
import pytest

from .server import Server, eventually

LONG = "word " * 2000  # a minute of answer
OPTIONS = {
    "LLMSITE_SECURITY__ENABLE_AUTH": "true",
    "LLMSITE_LIMITS__DEFAULT_RATE_LIMIT_PER_MINUTE": "0",
}

# What the quotas have counted, and what the ledger holds.
COUNTS = """
import json
from accounts.models import QuotaWindow, UsageRecord
windows = QuotaWindow.objects.exclude(period="running")
print(json.dumps({
    "used": [*windows.values_list("used", flat=True)],
    "reserved": [*QuotaWindow.objects.values_list("reserved", flat=True)],
    "in_ledger": UsageRecord.objects.num_tokens(),
    "statuses": [*UsageRecord.objects.order_by("pk").values_list("status", flat=True)],
}))
"""
# Who held one has not renewed it for a minute.
END_LEASES = """
from datetime import timedelta
from django.db.models import F
from accounts.models import Lease
print(Lease.objects.update(expires_at=F("expires_at") - timedelta(seconds=60)))
"""
ISSUE = """
from accounts.models import ApiKey, Policy, User
key, text = ApiKey.objects.issue(User.objects.get(username="admin"), "laptop")
Policy.objects.create(key=key, **{rules!r})
print(text)
"""


class Guarded:
    """A service that asks for keys, and what its administrator does."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def new_key(self, **rules) -> str:
        """Of the first administrator, with a policy of its own."""
        return self.run(ISSUE.format(rules=rules))

    def run(self, code: str) -> str:
        return self.server.manage("shell", "--no-imports", "-c", code)

    def counts(self):
        return json.loads(self.run(COUNTS))

    def statuses(self, client: openai.OpenAI) -> list[int]:
        """Of what this client asked for until now."""
        client.models.list()  # a line is written once its answer is sent: this one comes last
        id = name_of(client.api_key)

        def lines(**fields):
            return self.server.log_lines(event="request", request_id=id, **fields)

        eventually(lambda: lines(path="/v1/models"), "it is in the log")
        return [line["status"] for line in lines(path="/v1/completions")]


def name_of(key: str) -> str:
    return key[3:11]


def client_of(guarded: Guarded, key: str, **options) -> openai.OpenAI:
    """One whose requests can be told apart in the log."""
    headers = {"x-request-id": name_of(key)}
    return guarded.server.client(api_key=key, default_headers=headers, **options)


def ask(client, prompt="a b", **fields):
    return client.completions.create(model="fake", prompt=prompt, **fields)


@pytest.fixture
def make_guarded(make_server):
    def make():
        return Guarded(make_server(**OPTIONS).start())

    return make


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, gguf):
    """For tests that make keys of their own."""
    server = Server(tmp_path_factory.mktemp("guarded"), {"fake": gguf}, **OPTIONS)
    try:
        yield Guarded(server.start())
    finally:
        server.stop()


def test_a_key_lets_in_until_it_is_revoked(guarded):
    key = guarded.server.manage("create_key", "admin", "laptop")
    with client_of(guarded, key) as client:
        assert ask(client).choices[0].text == "a b "
        assert [model.id for model in client.models.list()] == ["fake"]
        guarded.server.manage("revoke_key", key)
        with pytest.raises(openai.AuthenticationError, match=r"was revoked"):
            ask(client)


@pytest.mark.parametrize("key", ["", "sk-abcd1234-" + "a" * 40])
def test_no_other_key_does(guarded, key):
    response = httpx.get(f"{guarded.server.url}/v1/models", headers={"x-api-key": key})
    assert response.status_code == 401


def test_the_log_does_not_hold_a_key(guarded):
    key = guarded.new_key()
    with client_of(guarded, key) as client:
        ask(client)
        assert guarded.statuses(client) == [200]
    assert key not in guarded.server.stderr + guarded.server.stdout


def test_an_exhausted_quota_is_not_asked_for_again(guarded):
    key = guarded.new_key(tokens_per_day=6)
    with client_of(guarded, key, max_retries=5) as client:
        assert ask(client).usage.total_tokens == 5
        with pytest.raises(openai.RateLimitError) as caught:
            ask(client)
        assert guarded.statuses(client) == [200, 429]
    assert (caught.value.code, caught.value.type) == ("insufficient_quota", "insufficient_quota")
    assert "rule tokens_per_day of key laptop" in caught.value.message


def test_a_request_that_is_too_large_is_not_asked_for_again(guarded):
    key = guarded.new_key(max_prompt_tokens=1)
    with client_of(guarded, key, max_retries=5) as client:
        with pytest.raises(openai.BadRequestError) as caught:
            ask(client)
        assert guarded.statuses(client) == [400]
    assert (caught.value.code, caught.value.param) == ("limit_exceeded", "prompt")


def test_what_a_policy_forbids_is_a_permission_error(guarded):
    key = guarded.new_key(allowed_models=["other"])
    with (
        client_of(guarded, key) as client,
        pytest.raises(openai.PermissionDeniedError, match=r"rule allowed_models of key laptop"),
    ):
        ask(client)


def test_thirty_threads_get_no_more_than_the_quota(guarded):
    key = guarded.new_key(tokens_per_day=10 * 5, max_running=100)
    before = guarded.counts()

    def num_tokens(client):
        with suppress(openai.RateLimitError):
            return ask(client, max_tokens=3).usage.total_tokens
        return 0

    with client_of(guarded, key) as client, ThreadPoolExecutor(30) as threads:
        used = [*threads.map(num_tokens, [client] * 30)]
    assert sorted(used) == [0] * 20 + [5] * 10
    after = guarded.counts()
    assert after["in_ledger"] - before["in_ledger"] == 50
    assert sum(after["used"]) - sum(before["used"]) == 50
    assert set(after["reserved"]) == {0}


def test_what_a_killed_server_had_reserved_is_free_when_its_lease_has_ended(make_guarded):
    first = make_guarded()
    key = first.new_key(max_running=1, tokens_per_day=100_000)
    with client_of(first, key) as client:
        assert ask(client).usage.total_tokens == 5
        stream = ask(client, LONG, max_tokens=2000, stream=True)
        next(stream)
        first.server.process.kill()
        with pytest.raises((openai.APIConnectionError, httpx.RemoteProtocolError)):
            list(stream)
    first.server.wait()
    left = first.counts()
    assert (left["used"], sorted(left["reserved"])) == ([5], [1, 4000])
    assert left["statuses"] == ["stop", "running"]

    second = make_guarded()
    with client_of(second, key) as client:
        with pytest.raises(openai.RateLimitError, match=r"1 requests run at once"):
            ask(client)
        assert second.counts()["reserved"] == left["reserved"]
    second.server.interrupt()
    assert second.server.wait() == 0

    assert int(second.run(END_LEASES)) >= 1
    third = make_guarded()
    with client_of(third, key) as client:

        def is_answered():
            with suppress(openai.RateLimitError):
                return ask(client).usage.total_tokens == 5
            return False

        eventually(is_answered, "the place of the dead is free")
    counts = third.counts()
    assert counts["statuses"] == ["stop", "lost", "stop"]
    assert (counts["used"], set(counts["reserved"]), counts["in_ledger"]) == ([10], {0}, 10)
