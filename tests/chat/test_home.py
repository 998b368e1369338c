"""The first page."""

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient

from accounts.models import User
from llmsite.config import Config


async def home(client=None):
    return await (client or AsyncClient()).get("/")


async def test_it_lists_the_models_and_how_to_ask(fake_model):
    page = (await home()).content.decode()
    assert "<code>fake</code>" in page
    assert 'base_url="http://testserver/v1"' in page


async def test_it_says_what_to_do_without_a_model(transactional_db):
    assert "There is no model yet" in (await home()).content.decode()


@pytest.fixture
def with_keys(settings):
    security = {"enable_auth": True, "api_keys": ["0123456789abcdef"]}
    settings.CONFIG = Config.model_validate({"security": security})


async def test_with_keys_it_is_for_people_who_signed_in(transactional_db, with_keys):
    page = await home()
    assert page.headers["location"].startswith("/admin/login/")


async def test_with_keys_the_examples_show_where_the_key_goes(fake_model, with_keys):
    client = AsyncClient()
    await client.aforce_login(await sync_to_async(User.objects.create_user)("ann"))
    assert "Bearer YOUR_KEY" in (await home(client)).content.decode()
