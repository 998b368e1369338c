"""What happens when Redis does not answer."""

import pytest


@pytest.fixture(autouse=True)
def without_redis(settings):
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",  # a port where nothing listens
        }
    }


async def test_requests_that_cannot_be_counted_are_refused(api, fake_model, configure):
    configure(limits={"default_rate_limit_per_minute": 5})
    response = await api.chat()
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (503, "cache_unavailable")
    assert error["type"] == "server_error"
    assert int(response["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/completions", {"model": "fake", "prompt": "a"}),
        ("/chat/completions", {"model-name": "fake", "prompt": "a"}),
    ],
)
async def test_and_so_in_the_older_dialect(api, fake_model, configure, path, body):
    configure(limits={"default_rate_limit_per_minute": 5})
    response = await api.post(path, body)
    assert response.status_code == 503
    assert response.json() == {"error": "Requests cannot be counted now; try again later."}
    assert int(response["Retry-After"]) > 0


async def test_requests_that_need_no_count_are_answered(api, fake_model):
    assert (await api.chat()).status_code == 200


async def test_the_service_is_not_ready(api, fake_model):
    response = await api.get("/readiness")
    assert (response.status_code, response.json()["reason"]) == (503, "the cache does not answer")
