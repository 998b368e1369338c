import pytest

from .client import Api


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
