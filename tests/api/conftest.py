import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from .client import Api
from .people import Person


@pytest.fixture(scope="session")
def api() -> Api:
    return Api()


@pytest.fixture
def configure(settings):
    """Changes the configuration: `configure(limits={"max_body_mb": 1})`."""

    def change(**sections):
        changed = {
            name: type(section).model_validate({**section.model_dump(), **fields})
            for name, fields in sections.items()
            if (section := getattr(settings.CONFIG, name))
        }
        settings.CONFIG = settings.CONFIG.model_copy(update=changed)

    return change


@pytest.fixture
def engine_options(settings):
    """Changes what engines are started with: `engine_options(max_waiting=0)`."""

    def change(**options):
        settings.ENGINE_OPTIONS = {**settings.ENGINE_OPTIONS, **options}

    return change


@pytest.fixture
async def num_computed(api):
    """How many requests an engine has answered since the test began."""
    before = await api.metric("llmsite_requests_total")

    async def num_computed():
        return await api.metric("llmsite_requests_total") - before

    return num_computed


@pytest.fixture(autouse=True)
def _database(transactional_db):
    """Whoever asks is looked up there."""


@pytest.fixture
async def leave_no_connection():
    """For tests with queries of their own: the thread that those run on has one."""
    yield
    await sync_to_async(connections.close_all)()


@pytest.fixture
def alice(transactional_db) -> Person:
    return Person.make("alice")


@pytest.fixture
def bob(transactional_db) -> Person:
    """Of Alice's team, where a test makes one."""
    return Person.make("bob")


@pytest.fixture
def charlie(transactional_db) -> Person:
    """A stranger to both."""
    return Person.make("charlie")
