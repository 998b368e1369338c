"""The page that says how to call the API."""

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient

from accounts.models import Policy, User
from llmsite.config import Config


async def connect(client=None):
    return await (client or AsyncClient()).get("/connect/")


async def test_it_lists_the_models_and_how_to_ask(fake_model):
    page = (await connect()).content.decode()
    assert "<code>fake</code>" in page
    assert 'base_url="http://testserver/v1"' in page


async def test_it_says_what_to_do_without_a_model(transactional_db):
    assert "There is no model yet" in (await connect()).content.decode()


@pytest.fixture
def with_keys(settings):
    settings.CONFIG = Config.model_validate({"security": {"enable_auth": True}})


@pytest.fixture
async def ann(transactional_db):
    return await sync_to_async(User.objects.create_user)("ann", first_name="Ann", last_name="Lee")


async def connect_of(user):
    client = AsyncClient()
    await client.aforce_login(user)
    return (await connect(client)).content.decode()


async def test_with_keys_it_is_for_people_who_signed_in(transactional_db, with_keys):
    page = await connect()
    assert page.headers["location"] == "/accounts/login/?next=/connect/"


async def test_with_keys_it_says_who_signed_in_and_where_keys_are(fake_model, with_keys, ann):
    page = await connect_of(ann)
    assert "signed in as <strong>Ann Lee</strong>" in page
    assert 'href="/accounts/keys/"' in page
    assert "Bearer YOUR_KEY" in page


async def test_models_that_a_person_may_not_use_are_not_offered(fake_model, with_keys, ann):
    await Policy.objects.acreate(user=ann, allowed_models=["other-*"])
    page = await connect_of(ann)
    assert "<code>fake</code>" not in page
    assert "no model that you may use" in page


async def test_without_keys_it_offers_no_sign_in(fake_model):
    page = (await connect()).content.decode()
    assert "/accounts/login/" not in page
    assert "Authorization" not in page


async def test_the_address_is_the_one_that_people_open(fake_model, settings):
    public_url = "https://llm.example.org"
    settings.CONFIG = Config.model_validate({"server": {"public_url": public_url}})
    assert f'base_url="{public_url}/v1"' in (await connect()).content.decode()
