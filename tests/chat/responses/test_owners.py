"""What is Alice's is not there for Bob."""

import pytest
from asgiref.sync import sync_to_async

from chat.models import Message

from .asking import Responses

CASES = [
    ("GET", ""),
    ("GET", "?stream=true"),
    ("DELETE", ""),
    ("POST", "/cancel"),
    ("GET", "/input_items"),
]


@pytest.fixture
def hers(alice):
    return Responses(alice.api)


@pytest.mark.parametrize(("method", "path"), CASES)
async def test_of_another_account_it_is_not_there(hers, bob, method, path):
    response = await hers("secret")
    refused = await bob.api.request(method, f"/v1/responses/{response['id']}{path}")

    assert refused.status_code == 404
    assert refused.json()["error"]["code"] == "response_not_found"
    assert await Message.objects.acount() == 2


async def test_another_account_does_not_go_on_from_it(hers, bob):
    response = await hers("secret")
    for fields in (
        {"previous_response_id": response["id"]},
        {"conversation": response["conversation"]["id"]},
    ):
        status, error = await Responses(bob.api).error("what?", **fields)
        assert (status, error["param"]) == (404, next(iter(fields)))
    assert await Message.objects.acount() == 2


async def test_another_account_does_not_take_its_items(hers, bob):
    response = await hers("secret")
    named = {"type": "item_reference", "id": response["output"][0]["id"]}
    assert (await Responses(bob.api).error([named]))[0] == 400


async def test_another_key_of_the_same_person_does(hers, alice):
    response = await hers("one")
    phone = Responses((await alice.another_key()).api)
    assert (await phone.get(response["id"]))["id"] == response["id"]


async def test_a_model_that_a_policy_hides_is_not_asked(hers, alice):
    await alice.rules("key", allowed_models=["other"])
    status, error = await hers.error("a")
    assert (status, error["code"]) == (403, "permission_denied")


async def test_an_endpoint_that_a_policy_closes_is_closed(hers, alice):
    response = await hers("a")
    await alice.rules("key", allowed_endpoints=["models"])
    refused = await alice.api.get(f"/v1/responses/{response['id']}")
    assert refused.status_code == 403


async def test_sessions_of_the_older_dialect_are_no_responses(hers, alice):
    body = {"model-name": "fake", "prompt": "a", "session-id": "s"}
    answer = await alice.api.post("/chat/completions", body)
    assert b"".join([part async for part in answer])
    uid = (await sync_to_async(Message.objects.get)(role="assistant")).uid
    assert (await alice.api.get(f"/v1/responses/resp_{uid.hex}")).status_code == 404
