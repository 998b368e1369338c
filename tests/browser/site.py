"""The service that the browser visits, and the people who have an account there."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.inference.gguf_maker import make_gguf
from tests.live.server import Server

NUM_PEOPLE = 120
PASSWORD = "a-long-password"
MODELS = ("fake", "narrow", "other", "untouched")
OPTIONS = {
    "LLMSITE_SECURITY__ENABLE_AUTH": "true",
    "LLMSITE_LIMITS__DEFAULT_RATE_LIMIT_PER_MINUTE": "0",
}
# One process makes all of them, and signs them in: it takes longer to start than to work.
# The model `narrow` computes one answer at a time, and `untouched` is loaded by one test only:
# the page for comparisons offers the first two.
PREPARE = """
import json
from django.test import Client
from accounts.models import User
from inference.models import LanguageModel
LanguageModel.objects.filter(slug="narrow").update(max_sequences=1)
User.objects.create_user("alice", "alice@example.org", {password!r})
people = [User(username=f"person-{{i}}", first_name="Alice") for i in range({number})]
User.objects.bulk_create(people)
sessions = []
for person in people:
    client = Client()
    client.force_login(person, "django.contrib.auth.backends.ModelBackend")
    sessions.append({{name: morsel.value for name, morsel in client.cookies.items()}})
print(json.dumps(sessions))
"""


class Site:
    """`people` are cookies: each test takes people whom no other has seen."""

    def __init__(self, folder: Path, models: Iterable[str] = MODELS) -> None:
        gguf = folder / "tiny.gguf"
        make_gguf(gguf)
        self.server = Server(folder / "data", dict.fromkeys(models, gguf), **OPTIONS)
        self.people: Iterator[dict[str, str]] = iter(())

    @property
    def url(self) -> str:
        return self.server.url

    def start(self, **environment: str) -> "Site":
        self.server.start(**environment)
        code = PREPARE.format(password=PASSWORD, number=NUM_PEOPLE)
        printed = self.server.manage("shell", "--no-imports", "-c", code)
        self.people = iter(json.loads(printed.splitlines()[-1]))
        return self

    def text_of(self, uid: str) -> str:
        """Of that message, as the database has it."""
        path = self.server.data_dir / "llmsite.sqlite3"
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            rows = database.execute("SELECT text FROM chat_message WHERE uid = ?", [uid])
            text: str = rows.fetchone()[0]
        database.close()
        return text
