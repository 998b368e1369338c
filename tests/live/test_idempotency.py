"""`Idempotency-Key` with the official client, against a running service."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import openai
import pytest

from .server import eventually

LONG = "a " * 100


@pytest.fixture
def headers():
    """A key that no other test has."""
    return {"Idempotency-Key": str(uuid4())}


@pytest.fixture
def client(server, headers):
    with server.client(default_headers=headers) as client:
        yield client


@pytest.fixture
def num_answered(server):
    """How many requests the engine has answered since the test began."""

    def count():
        return server.metric("llmsite_requests_total", model="fake")

    before = count()
    return lambda: count() - before


def test_a_retry_gets_the_answer_of_the_first_request(client, num_answered):
    first, again = (client.completions.create(model="fake", prompt="a b") for _ in range(2))
    assert first.id == again.id
    assert first.choices[0].text == "a b "
    assert num_answered() == 1


def test_requests_at_the_same_moment_are_computed_once(client, num_answered):
    with ThreadPoolExecutor(8) as threads:
        ask = client.completions.create
        asked = [threads.submit(ask, model="fake", prompt=LONG) for _ in range(8)]
        ids = {future.result().id for future in asked}
    assert len(ids) == 1
    assert num_answered() == 1


def test_a_stream_whose_reader_left_is_there_from_the_beginning(client, num_answered):
    with client.completions.create(model="fake", prompt=LONG, stream=True) as stream:
        first = [next(stream) for _ in range(3)]
    again = [*client.completions.create(model="fake", prompt=LONG, stream=True)]
    assert again[:3] == first
    assert "".join(chunk.choices[0].text for chunk in again) == LONG
    assert again[-1].choices[0].finish_reason == "stop"
    assert num_answered() == 1


@pytest.mark.parametrize("stream", [False, True])
def test_who_leaves_before_the_first_token_finds_the_answer_later(
    server, client, num_answered, stream
):
    with server.client() as other:  # the engine is there, and asking takes no time
        other.completions.create(model="fake", prompt="a")
    word = "b " if stream else "c "  # none that the cache has of the other
    ask = {"model": "fake", "prompt": word * 4000, "max_tokens": 5, "stream": stream}
    with pytest.raises(openai.APITimeoutError):
        list(client.with_options(timeout=0.5).completions.create(**ask))
    eventually(lambda: num_answered() == 2, "it is computed with nobody there")
    answer = client.completions.with_raw_response.create(**ask)
    assert answer.headers["idempotent-replayed"] == "true"
    assert num_answered() == 2


def test_another_request_under_the_key_is_the_clients_conflict_and_not_retried(server, client):
    client.completions.create(model="fake", prompt="a")
    with pytest.raises(openai.ConflictError) as caught:
        client.with_options(max_retries=2).completions.create(model="fake", prompt="b")
    assert caught.value.code == "idempotency_key_reused"
    # A line is written when its answer has been sent; a retry's would be there by the last.
    client.with_options(default_headers={"Idempotency-Key": "last"}).models.list()
    eventually(lambda: server.log_lines(event="request", path="/v1/models"), "the last line")
    assert len(server.log_lines(event="request", status=409)) == 1


def test_the_key_may_be_given_for_one_request(server, headers):
    with server.client() as client:
        ids = {
            client.chat.completions.create(
                model="fake", messages=[{"role": "user", "content": "a"}], extra_headers=headers
            ).id
            for _ in range(2)
        }
    assert len(ids) == 1
