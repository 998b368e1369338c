from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.inference.gguf_maker import make_gguf

from .server import Server


@pytest.fixture(scope="session")
def gguf(tmp_path_factory) -> Path:
    """A file for the registry; the fake engine does not open it."""
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    make_gguf(path)
    return path


@pytest.fixture(scope="session")
def server(tmp_path_factory, gguf) -> Iterator[Server]:
    """A service with a model that echoes, for tests that leave it as they found it."""
    server = Server(tmp_path_factory.mktemp("server"), {"fake": gguf})
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def make_server(tmp_path, gguf) -> Iterator:
    """Makes services of the test's own."""
    made = []

    def make(**options) -> Server:
        server = Server(tmp_path, {"fake": gguf}, **options)
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop()


@pytest.fixture(scope="session")
def real_server(tmp_path_factory, smollm2) -> Iterator[Server]:
    """A service with the default model."""
    server = Server(
        tmp_path_factory.mktemp("real"), {"smollm2": smollm2}, settings="llmsite.settings"
    )
    try:
        yield server.start()
    finally:
        server.stop()
