import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from llmsite.config import Config
from tests.api.client import Api
from tests.api.people import Person

from .asking import Responses


@pytest.fixture(autouse=True)
async def _no_connection_is_left(fake_model):
    yield
    await sync_to_async(connections.close_all)()


@pytest.fixture
def ask() -> Responses:
    """For whoever everybody is while nobody signs in."""
    return Responses(Api())


@pytest.fixture
def slowly(settings):
    settings.ENGINE_OPTIONS = {"fake_step_seconds": 0.01}


@pytest.fixture
def keys_required(settings):
    settings.CONFIG = Config.model_validate({"security": {"enable_auth": True}})


@pytest.fixture
def alice(keys_required, transactional_db) -> Person:
    return Person.make("alice")


@pytest.fixture
def bob(keys_required, transactional_db) -> Person:
    return Person.make("bob")
