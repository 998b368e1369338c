"""What every answer says is left: requests of this minute, and tokens of the tightest quota."""

from types import SimpleNamespace

import pytest
from django.core.cache import cache
from django.db import OperationalError

from accounts.quota.database import DatabaseQuotas

from .client import Api
from .test_access import OLDERS, OPENAIS, PROBES, bearer, paths_of, walk

CONFIGURED = "a-key-of-the-configuration"
REQUESTS = [f"x-ratelimit-{what}-requests" for what in ("limit", "remaining", "reset")]
TOKENS = [f"x-ratelimit-{what}-tokens" for what in ("limit", "remaining", "reset")]
OLDER = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"]
SILENT = ["/metrics", *paths_of(PROBES)]
PATHS = [path for path in paths_of(OPENAIS, OLDERS) if path not in SILENT]

COMPLETION = {"model": "fake", "prompt": "a b c", "max_tokens": 4}
OLDER_CHAT = {"model-name": "fake", "prompt": "a b c", "system-prompt": "", "max-token": 4}
OPENAIS_CHAT = {"model": "fake", "messages": [{"role": "user", "content": "a b c"}]}
GENERATING = [
    ("/v1/chat/completions", OPENAIS_CHAT),
    ("/v1/completions", COMPLETION),
    ("/chat/completions", OPENAIS_CHAT),
    ("/chat/completions", OLDER_CHAT),
    ("/completions", COMPLETION),
]

pytestmark = pytest.mark.usefixtures("leave_no_connection")


@pytest.fixture(autouse=True)
def keys_required(configure):
    cache.clear()
    configure(
        security={"enable_auth": True, "api_keys": [CONFIGURED]},
        limits={"default_rate_limit_per_minute": 1000},
    )


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """No minute of requests ends while a test runs."""
    seconds = SimpleNamespace(time=lambda: 1_000_000)
    monkeypatch.setattr("django_ratelimit.core.time", seconds)


@pytest.fixture
def num_looks(monkeypatch):
    """How often quotas were looked at."""
    looks, counts = [], DatabaseQuotas.counts

    def counted(*args):
        looks.append(args)
        return counts(*args)

    monkeypatch.setattr(DatabaseQuotas, "counts", counted)
    return lambda: len(looks)


def told(response, names=REQUESTS):
    return [response.headers.get(name) for name in names]


def is_silent(response):
    return not [name for name in response.headers if name.lower().startswith("x-ratelimit")]


class TestEveryAnswer:
    def left(self, answers, names):
        return {what: [a.headers.get(name) for name in names[:2]] for what, a in answers.items()}

    def test_to_a_stranger_says_what_is_left_for_the_address(self, fake_row):
        answers = walk(PATHS)
        assert {answer.status_code for answer in answers.values()} == {401}
        remaining = iter(range(999, 0, -1))
        expected = {what: ["1000", str(next(remaining))] for what in answers}
        assert self.left(answers, REQUESTS) == expected
        assert {answer.headers.get(TOKENS[0]) for answer in answers.values()} == {None}

    def test_to_whoever_has_a_key_says_it_whatever_the_status(self, fake_row, alice):
        answers = walk(PATHS, **bearer(alice.text))
        assert {answer.status_code for answer in answers.values()} == {200, 400, 403, 404, 405}
        assert {limit for limit, _ in self.left(answers, REQUESTS).values()} == {"1000"}
        assert not [what for what, answer in answers.items() if None in told(answer, OLDER)]

    async def test_says_what_is_left_of_the_tightest_quota(self, fake_row, alice):
        await alice.rules("key", tokens_per_minute=1000, tokens_per_day=100, max_running=3)
        for path in ("/v1/models", "/v1/models/nope", "/v1/usage", "/v1/unknown", "/models"):
            assert told(await alice.api.get(path), TOKENS)[:2] == ["100", "100"]

    @pytest.mark.parametrize(
        ("rules", "status"),
        [
            ({"allowed_endpoints": ["usage"]}, 403),
            ({"allowed_addresses": ["10.0.0.0/8"]}, 403),
            ({"allowed_models": ["other"]}, 403),
            ({"max_messages": 0}, 400),
            ({"max_body_kb": 0}, 413),
            ({"max_running": 0}, 429),
            ({"requests_per_minute": 0}, 429),
        ],
    )
    async def test_that_refuses_says_both(self, fake_model, alice, rules, status):
        await alice.rules(tokens_per_day=100)
        await alice.rules("user", **rules)
        refused = await alice.api.chat()
        assert refused.status_code == status
        assert None not in told(refused, [*REQUESTS, *OLDER])
        assert told(refused, TOKENS)[:2] == ["100", "100"]

    async def test_to_a_conflicting_request_says_both(self, fake_model, alice):
        under_a_key = {"idempotency-key": "k"}
        await alice.rules(tokens_per_day=100)
        answers = [
            await alice.api.post("/v1/completions", {**COMPLETION, "seed": seed}, **under_a_key)
            for seed in (1, 1, 2)
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 409]
        assert [told(answer)[1] for answer in answers] == ["999", "998", "997"]
        assert [told(answer, TOKENS)[1] for answer in answers] == ["93", "93", "93"]

    async def test_of_an_engine_that_died_says_both(self, fake_model, alice):
        await alice.rules(tokens_per_day=100)
        died = await alice.api.chat("crash")
        assert (died.status_code, told(died)[1]) == (503, "999")
        assert told(died, TOKENS)[0] == "100"

    async def test_to_a_page_of_another_site_says_it_too(self, fake_row, configure, api):
        configure(security={"enable_auth": False})
        refused = await api.get("/v1/models", origin="https://evil.example")
        assert (refused.status_code, told(refused)[:2]) == (403, ["1000", "1000"])


class TestLooking:
    async def test_counts_nothing(self, fake_model, alice):
        paths = ["/v1/models", "/v1/usage", "/v1/unknown", "/models", "/models/nope"]
        looked = [await alice.api.get(path) for path in paths * 2]
        assert {told(answer)[1] for answer in looked} == {"1000"}
        assert told(await alice.api.chat())[1] == "999"
        assert told(await alice.api.get("/v1/models"))[1] == "999"

    async def test_tells_of_the_level_with_the_fewest_left(self, fake_row, alice):
        await alice.rules("key", requests_per_minute=9)
        await alice.rules("user", requests_per_minute=3)
        assert told(await alice.api.get("/v1/models"))[:2] == ["3", "3"]

    async def test_of_a_stranger_is_not_of_who_has_a_key_at_that_address(self, fake_row, api):
        assert told(await api.get("/v1/models"))[1] == "999"
        assert told(await Api(CONFIGURED).get("/v1/models"))[1] == "1000"

    @pytest.mark.parametrize(("path", "body"), GENERATING)
    async def test_is_not_needed_where_something_was_generated(
        self, fake_model, alice, num_looks, path, body
    ):
        await alice.rules(tokens_per_day=100)
        answer = await alice.api.post(path, body)
        assert (answer.status_code, None in told(answer, TOKENS)) == (200, False)
        assert num_looks() == 0

    async def test_is_not_needed_by_whom_nothing_limits(
        self, fake_row, alice, configure, num_looks
    ):
        configure(limits={"default_rate_limit_per_minute": 0})
        await alice.rules(max_running=3, max_messages=9)
        answers = [await alice.api.get(path) for path in ("/v1/models", "/v1/unknown")]
        assert [is_silent(answer) for answer in answers] == [True, True]
        assert num_looks() == 0

    async def test_that_fails_fails_no_answer(self, fake_row, alice, monkeypatch, caplog):
        def broken(*args):
            raise OperationalError("no connection")

        await alice.rules(tokens_per_day=100)
        monkeypatch.setattr(DatabaseQuotas, "counts", broken)
        answer = await alice.api.get("/v1/models")
        assert (answer.status_code, is_silent(answer)) == (200, True)
        assert "an answer does not say what is left: no connection" in caplog.text

    @pytest.mark.parametrize("path", ["/v1/models", "/models", "/v1/unknown"])
    async def test_is_left_out_without_redis(self, fake_row, alice, settings, path):
        settings.CACHES = {
            "default": {
                "BACKEND": "django.core.cache.backends.redis.RedisCache",
                "LOCATION": "redis://127.0.0.1:1/0",  # a port where nothing listens
            }
        }
        answer = await alice.api.get(path)
        assert (answer.status_code in (200, 404), is_silent(answer)) == (True, True)

    async def test_is_left_out_where_the_database_has_just_failed(
        self, fake_row, alice, monkeypatch, num_looks
    ):
        def broken(self):
            raise OperationalError("no connection")

        await alice.rules(tokens_per_day=100)
        monkeypatch.setattr("inference.models.LanguageModelQuerySet.routable", broken)
        answer = await alice.api.get("/v1/models")
        assert (answer.status_code, num_looks()) == (500, 0)


@pytest.mark.parametrize("path", SILENT)
async def test_probes_and_metrics_say_nothing(fake_row, alice, path):
    await alice.rules(tokens_per_day=100)
    answers = [await Api(key).get(path) for key in ("", "wrong", alice.text, CONFIGURED)]
    assert [is_silent(answer) for answer in answers] == [True] * 4
