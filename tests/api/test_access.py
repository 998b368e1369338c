"""Every URL of the project, asked by everybody who may not, and by some who may."""

import json
import re
import uuid
from datetime import timedelta
from typing import NamedTuple

import pytest
from asgiref.sync import sync_to_async
from django.core.cache import cache
from django.test import Client
from django.urls import URLResolver, get_resolver
from django.utils import timezone

from accounts.models import ApiKey, UsageRecord, User
from chat.models import Attachment, Conversation
from chat.sharing import share
from inference.models import LanguageModel
from llmsite import sockets
from tests.chat.socket import OWN_PAGE, Socket

from .client import Api
from .people import Person

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
CONFIGURED = "a-key-of-the-configuration"


class Route(NamedTuple):
    """A path of it, and what its methods answer to whoever may; 405 the others."""

    path: str
    answers: dict[str, int]


def reads(path: str) -> Route:
    return Route(path, {"GET": 200, "HEAD": 200, "OPTIONS": 200})


def takes(path: str) -> Route:
    """Refuses an empty body."""
    return Route(path, {"POST": 400, "OPTIONS": 200})


def always(path: str, status: int) -> Route:
    return Route(path, dict.fromkeys(METHODS, status))


# For whoever has a key. Errors are OpenAI's.
OPENAIS = {
    "v1/chat/completions": takes("/v1/chat/completions"),
    "v1/chat/completions/input_tokens": takes("/v1/chat/completions/input_tokens"),
    "v1/tokenize": takes("/v1/tokenize"),
    "v1/detokenize": takes("/v1/detokenize"),
    "v1/apply-template": takes("/v1/apply-template"),
    "v1/completions": takes("/v1/completions"),
    "v1/embeddings": takes("/v1/embeddings"),
    "v1/rerank": takes("/v1/rerank"),
    "v1/receipts/<uuid:receipt>": Route(
        "/v1/receipts/00000000-0000-0000-0000-000000000000",
        {"GET": 404, "HEAD": 404, "OPTIONS": 200},
    ),
    "v1/usage": reads("/v1/usage"),
    "v1/models": reads("/v1/models"),
    "v1/models/<any:name>": reads("/v1/models/fake"),
    **{
        f"v1/admin/models{path}": always(
            f"/v1/admin/models{path.replace('<str:slug>', 'fake')}", 403
        )
        for path in (
            *("", "/<str:slug>", "/<str:slug>/fetch", "/<str:slug>/load"),
            *("/<str:slug>/unload", "/<str:slug>/events"),
        )
    },
    "^v1/.*": always("/v1/unknown", 404),
    "chat/completions": takes("/chat/completions"),
    "metrics": always("/metrics", 403),
}
# Likewise: OpenAI's responses, of which there is none by this name.
RESPONSE = "/v1/responses/resp_none"
RESPONSES = {
    "v1/responses": takes("/v1/responses"),
    "v1/responses/<str:response_id>": Route(
        RESPONSE, {"GET": 404, "HEAD": 404, "DELETE": 404, "OPTIONS": 200}
    ),
    "v1/responses/<str:response_id>/cancel": Route(
        f"{RESPONSE}/cancel", {"POST": 404, "OPTIONS": 200}
    ),
    "v1/responses/<str:response_id>/input_items": Route(
        f"{RESPONSE}/input_items", {"GET": 404, "HEAD": 404, "OPTIONS": 200}
    ),
}
OPENAIS |= RESPONSES
# Likewise. Errors are Anthropic's.
ANTHROPICS = {
    "v1/messages": takes("/v1/messages"),
    "v1/messages/count_tokens": takes("/v1/messages/count_tokens"),
}
# Likewise. Errors are the older dialect's. There is one session, Alice's.
OLDERS = {
    "sessions": reads("/sessions"),
    "chat/history/<str:session_id>": Route(
        "/chat/history/hers", {"GET": 404, "HEAD": 404, "DELETE": 404, "OPTIONS": 200}
    ),
    "chat/history/<str:session_id>/rollback": takes("/chat/history/hers/rollback"),
    "completions": takes("/completions"),
    "models": reads("/models"),
    "models/<any:name>": reads("/models/fake"),
}
# For programs without a key.
PROBES = {
    "health": reads("/health"),
    "readiness": reads("/readiness"),
    "api/schema/": reads("/api/schema/"),
}
# For whoever signed in.
PAGES = {
    "": "/",
    "c/<uuid:uid>/": "/c/{conversation}/",
    "c/<uuid:uid>/settings/": "/c/{conversation}/settings/",
    "c/branch/": "/c/branch/",
    "c/list/<slug:place>/": "/c/list/folder-{folder}/",
    "c/search/": "/c/search/",
    "c/<uuid:uid>/at/<uuid:message>/": "/c/{conversation}/at/{message}/",
    "c/<uuid:uid>/menu/": "/c/{conversation}/menu/",
    "c/<uuid:uid>/title/": "/c/{conversation}/title/",
    "c/<uuid:uid>/pin/": "/c/{conversation}/pin/",
    "c/<uuid:uid>/move/": "/c/{conversation}/move/",
    "c/<uuid:uid>/archive/": "/c/{conversation}/archive/",
    "c/<uuid:uid>/unarchive/": "/c/{conversation}/unarchive/",
    "c/<uuid:uid>/delete/": "/c/{conversation}/delete/",
    "c/<uuid:uid>/restore/": "/c/{conversation}/restore/",
    "c/<uuid:uid>/share/": "/c/{conversation}/share/",
    "c/<uuid:uid>/preset/": "/c/{conversation}/preset/",
    "c/<uuid:uid>/export.json": "/c/{conversation}/export.json",
    "c/<uuid:uid>/export.md": "/c/{conversation}/export.md",
    "c/export.json": "/c/export.json",
    "c/import/": "/c/import/",
    "c/shared/": "/c/shared/",
    "c/shared/<int:pk>/revoke/": "/c/shared/{share}/revoke/",
    "c/folders/": "/c/folders/",
    "c/folders/<int:pk>/rename/": "/c/folders/{folder}/rename/",
    "c/folders/<int:pk>/delete/": "/c/folders/{folder}/delete/",
    "c/presets/": "/c/presets/",
    "c/presets/<int:pk>/use/": "/c/presets/{preset}/use/",
    "c/presets/<int:pk>/rename/": "/c/presets/{preset}/rename/",
    "c/presets/<int:pk>/delete/": "/c/presets/{preset}/delete/",
    "compare/": "/compare/",
    "connect/": "/connect/",
    "api/docs/": "/api/docs/",
    "attachments/": "/attachments/",
    "attachments/<uuid:uid>/": "/attachments/{attachment}/",
    "accounts/": "/accounts/",
    "accounts/keys/": "/accounts/keys/",
    "accounts/keys/<int:pk>/rename/": "/accounts/keys/{key}/rename/",
    "accounts/keys/<int:pk>/rotate/": "/accounts/keys/{key}/rotate/",
    "accounts/keys/<int:pk>/revoke/": "/accounts/keys/{key}/revoke/",
    "accounts/usage.csv": "/accounts/usage.csv",
    "accounts/reauthenticate/": "/accounts/reauthenticate/",
    "accounts/password/change/": "/accounts/password/change/",
    "accounts/password/set/": "/accounts/password/set/",
    "accounts/2fa/": "/accounts/2fa/",
    "accounts/2fa/reauthenticate/": "/accounts/2fa/reauthenticate/",
    "accounts/2fa/totp/activate/": "/accounts/2fa/totp/activate/",
    "accounts/2fa/totp/deactivate/": "/accounts/2fa/totp/deactivate/",
    "accounts/2fa/recovery-codes/": "/accounts/2fa/recovery-codes/",
    "accounts/2fa/recovery-codes/generate/": "/accounts/2fa/recovery-codes/generate/",
    "accounts/2fa/recovery-codes/download/": "/accounts/2fa/recovery-codes/download/",
    "accounts/3rdparty/": "/accounts/3rdparty/",
}
# What leads to signing in: for people who have not. What GET answers them.
ENTRANCE = {
    "accounts/login/": ("/accounts/login/", 200),
    "accounts/logout/": ("/accounts/logout/", 302),
    "accounts/language/": ("/accounts/language/", 302),
    "accounts/inactive/": ("/accounts/inactive/", 200),
    "accounts/signup/": ("/accounts/signup/", 200),
    "accounts/password/reset/": ("/accounts/password/reset/", 200),
    "accounts/password/reset/done/": ("/accounts/password/reset/done/", 404),
    "accounts/password/reset/key/done/": ("/accounts/password/reset/key/done/", 200),
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": (
        "/accounts/password/reset/key/1-abc/",
        200,
    ),
    "accounts/2fa/authenticate/": ("/accounts/2fa/authenticate/", 302),
    "accounts/3rdparty/login/cancelled/": ("/accounts/3rdparty/login/cancelled/", 404),
    "accounts/3rdparty/login/error/": ("/accounts/3rdparty/login/error/", 404),
    "accounts/3rdparty/signup/": ("/accounts/3rdparty/signup/", 404),
    "accounts/oidc/<slug:provider_id>/login/": ("/accounts/oidc/acme/login/", 404),
    "accounts/oidc/<slug:provider_id>/login/callback/": (
        "/accounts/oidc/acme/login/callback/",
        404,
    ),
}
# For whoever was given the link.
LINKS = {"s/<slug:token>/": Route("/s/{token}/", {"GET": 200, "HEAD": 200})}
TABLES = [OPENAIS, ANTHROPICS, OLDERS, PROBES, PAGES, ENTRANCE, LINKS]
STATIC = ["/static/css/site.css", "/static/js/copy.js"]

# The administration is closed whatever it holds: its URLs need no rows.
ADMINISTRATION = "admin/"
PARTS = {"url": "nowhere", "app_label": "accounts"}
PART = re.compile(r"<(?:path:)?(\w+)>|\^?\(\?P<(\w+)>[^)]*\)")


def routes(resolver=None, prefix=""):
    for pattern in (resolver or get_resolver()).url_patterns:
        route = prefix + str(pattern.pattern)
        yield from routes(pattern, route) if isinstance(pattern, URLResolver) else [route]


def administration(id=1):
    """Its paths, with that id wherever one is needed."""
    found = [route for route in routes() if route.startswith(ADMINISTRATION)]
    return [
        "/" + PART.sub(lambda part: PARTS.get(part[1] or part[2], str(id)), route).removesuffix("$")
        for route in found
    ]


def test_every_url_has_one_row():
    rows = [route for table in TABLES for route in table]
    found = [route for route in routes() if not route.startswith(ADMINISTRATION)]
    assert sorted(rows) == sorted(found)


def test_the_administrations_paths_are_paths():
    paths = administration()
    assert len(paths) > 50
    assert all(re.fullmatch(r"[/\w]+", path) for path in paths)


@pytest.fixture(autouse=True)
def keys_required(configure):
    cache.clear()
    configure(
        security={"enable_auth": True, "api_keys": [CONFIGURED]},
        limits={"default_rate_limit_per_minute": 0},
    )


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.fixture
def revoked(db) -> str:
    key, text = ApiKey.objects.issue(User.objects.create_user("rose"), "lost")
    key.revoke()
    return text


@pytest.fixture
def expired(db) -> str:
    past = timezone.now() - timedelta(seconds=1)
    return ApiKey.objects.issue(User.objects.create_user("emma"), "old", past)[1]


@pytest.fixture
def inactive(db) -> str:
    return ApiKey.objects.issue(User.objects.create_user("ines", is_active=False), "hers")[1]


STRANGERS = [
    *("nobody", "empty", "made up", "nearly right", "revoked", "revoked, the other way"),
    *("expired", "inactive", "another scheme"),
]


@pytest.fixture
def headers(request, alice, revoked, expired, inactive) -> dict[str, str]:
    """What that stranger sends."""
    sent = {
        "nobody": {},
        "empty": bearer(""),
        "made up": bearer("sk-abcd1234-" + "a" * 40),
        "nearly right": bearer(alice.text.swapcase()),
        "revoked": bearer(revoked),
        "revoked, the other way": {"x-api-key": revoked},
        "expired": bearer(expired),
        "inactive": bearer(inactive),
        "another scheme": {"authorization": f"Basic {alice.text}"},
    }
    return sent[request.param]


def session_of(alice) -> Conversation:
    """In which it was said that this is a secret of alice's."""
    whose = {"owner": f"user:{alice.user.pk}", "user": alice.user}
    ends_at = timezone.now() + timedelta(hours=1)
    session = Conversation.objects.create(session_id="hers", expires_at=ends_at, **whose)
    question = session.messages.create(role="user", text="alice's secret")
    session.head = session.messages.create(role="assistant", text="secret", parent=question)
    session.save()
    return session


def walk(paths, client=None, query="", **headers):
    """What every method of every path answers."""
    client = client or Client()
    client.raise_request_exception = False
    return {
        f"{method} {path}": client.generic(method, path + query, headers=headers)
        for path in paths
        for method in METHODS
    }


def paths_of(*tables):
    return [route.path for table in tables for route in table.values()]


def statuses(answers):
    return {what: answer.status_code for what, answer in answers.items()}


def expected(*tables):
    return {
        f"{method} {route.path}": route.answers.get(method, 405)
        for table in tables
        for route in table.values()
        for method in METHODS
    }


def said(answers):
    """What the bodies hold, each of which is an error and nothing else."""
    bodies = [answer.json() for answer in answers.values() if answer.content]
    assert len(bodies) == len(answers) * (len(METHODS) - 1) / len(METHODS)  # HEAD has none
    assert {(*sorted(body),) for body in bodies} <= {("error",), ("error", "type")}
    return [body["error"] for body in bodies]


def tells_of(answers, name):
    """Which of them have the name in what they show; files that are streamed are not read."""
    shown = {what: answer.content for what, answer in answers.items() if not answer.streaming}
    return {what for what, content in shown.items() if name in content.decode()}


class TestTheApi:
    def refusals(self, **asked):
        for table in (OPENAIS, OLDERS, ANTHROPICS):
            answers = walk(paths_of(table), **asked)
            heads = {
                (a.status_code, a["www-authenticate"], a["content-type"]) for a in answers.values()
            }
            assert heads == {(401, "Bearer", "application/json")}
            yield said(answers)

    @pytest.mark.parametrize("headers", STRANGERS, indirect=True)
    def test_is_closed_to_strangers(self, fake_row, headers):
        openais, olders, anthropics = self.refusals(**headers)
        kinds = {(error["type"], error["code"], error["param"]) for error in openais}
        assert kinds == {("authentication_error", "invalid_api_key", None)}
        assert {type(error) for error in olders} == {str}
        assert {error["type"] for error in anthropics} == {"authentication_error"}

    def test_takes_no_key_from_the_query(self, fake_row, alice):
        names = ["api_key", "api-key", "apikey", "key", "token", "access_token", "x-api-key"]
        query = "&".join(f"{name}={alice.text}" for name in [*names, "authorization"])
        openais, olders, _ = self.refusals(query=f"?{query}")
        assert {error["message"] for error in openais} == {*olders}

    def test_takes_no_session(self, fake_row):
        browser = Client()
        browser.force_login(User.objects.create_superuser("root"))
        assert browser.get("/").status_code == 200
        openais, olders, _ = self.refusals(client=browser)
        assert "No API key was given." in olders[0]
        assert {error["message"] for error in openais} == {*olders}

    def test_says_nothing_in_a_preflight(self, fake_row):
        asked = {"origin": "http://evil.example", "access-control-request-method": "GET"}
        answers = [Client().options(path, headers=asked) for path in paths_of(OPENAIS)]
        assert {answer.content for answer in answers if answer.status_code == 200} == {b""}
        assert not any("access-control-allow-origin" in answer for answer in answers)

    def test_answers_whoever_has_a_key(self, fake_row, alice):
        answers = walk(paths_of(OPENAIS, OLDERS, ANTHROPICS), **bearer(alice.text))
        assert statuses(answers) == expected(OPENAIS, OLDERS, ANTHROPICS)

    def test_tells_a_foreign_key_nothing_of_what_is_somebodys(self, fake_row, alice, bob):
        facts = {"owner": "alice", "user": alice.user, "key": alice.key}
        now = timezone.now()
        UsageRecord.objects.create(uid=uuid.uuid4(), at=now, model="alices-model", **facts)
        session_of(alice)
        bobs, alices = [walk(paths_of(OPENAIS, OLDERS), **bearer(who.text)) for who in (bob, alice)]
        assert statuses(bobs) == expected(OPENAIS, OLDERS)
        assert tells_of(alices, "alice") == {"GET /v1/usage", "GET /chat/history/hers"}
        assert [tells_of(bobs, word) for word in ("alice", '["hers"]')] == [set(), set()]
        assert tells_of(alices, '["hers"]') == {"GET /sessions"}
        assert alices["DELETE /chat/history/hers"].status_code == 204

    def test_shows_metrics_to_operators(self, alice):
        route = reads("/metrics")
        alice.user.is_staff = True
        alice.user.save()
        answers = [walk([route.path], **bearer(key)) for key in (alice.text, CONFIGURED)]
        assert [*map(statuses, answers)] == [expected({"metrics": route})] * 2


class TestWhatIsOpen:
    @pytest.mark.parametrize("headers", STRANGERS, indirect=True)
    def test_probes_answer_everybody(self, fake_row, headers):
        assert statuses(walk(paths_of(PROBES), **headers)) == expected(PROBES)

    @pytest.mark.parametrize("headers", STRANGERS, indirect=True)
    def test_a_shared_link_is_open_to_whoever_has_it(self, alice, headers):
        link = LINKS["s/<slug:token>/"]
        path = link.path.format(token=share(session_of(alice)).token)
        answers = walk([path], **headers)
        assert statuses(answers) == expected({"": link._replace(path=path)})
        assert tells_of(answers, "secret") == {f"GET {path}"}

    def test_a_link_that_was_made_up_leads_nowhere(self, db):
        assert {*statuses(walk(["/s/made-up/"])).values()} == {404, 405}

    @pytest.mark.parametrize("path", STATIC)
    @pytest.mark.parametrize("headers", ["nobody", "revoked"], indirect=True)
    def test_static_files_are_everybodys(self, headers, path):
        assert Client().get(path, headers=headers).status_code == 200

    @pytest.mark.parametrize("path", ["../manage.py", "%2e%2e/manage.py", "..%2fmanage.py", ""])
    def test_and_nothing_else_is_below_them(self, path):
        assert Client().get(f"/static/{path}").status_code in (302, 404)

    @pytest.mark.parametrize("headers", STRANGERS, indirect=True)
    def test_the_entrance_is_for_whoever_is_outside(self, headers):
        answers = statuses(walk([path for path, _ in ENTRANCE.values()], **headers))
        shown = {f"GET {path}": status for path, status in ENTRANCE.values()}
        assert answers.items() >= shown.items()
        assert set(answers.values()) <= {200, 302, 404, 405}


def is_sent_away(answer):
    doors = ("/accounts/login/?next=", "/admin/login/?next=")
    return answer.status_code == 302 and answer["location"].startswith(doors)


class TestPages:
    @pytest.fixture
    def own(self, alice):
        """What is Alice's, by its part of a path."""
        notes = Attachment.objects.create(user=alice.user, name="alice.txt", size_bytes=1)
        whose = {"owner": f"user:{alice.user.pk}", "user": alice.user}
        talk = Conversation.objects.create(title="alice's", **whose)
        talk.head = talk.messages.create(role="user", text="alice's question")
        talk.save()
        return {
            "key": alice.key.pk,
            "attachment": notes.uid,
            "conversation": talk.uid,
            "message": talk.head.uid,
            "share": share(talk).pk,
            "folder": alice.user.folders.create(name="alice's").pk,
            "preset": alice.user.presets.create(name="alice's").pk,
        }

    @pytest.fixture
    def paths(self, own):
        return [path.format(**own) for path in PAGES.values()]

    @pytest.mark.parametrize("headers", STRANGERS, indirect=True)
    def test_send_strangers_to_sign_in(self, paths, headers):
        answers = walk(paths, **headers)
        assert not [what for what, answer in answers.items() if not is_sent_away(answer)]

    @pytest.mark.parametrize("whose", ["alice", "bob"])
    @pytest.mark.parametrize(
        ("name", "value"), [("authorization", "Bearer {}"), ("x-api-key", "{}")]
    )
    def test_take_no_key(self, alice, bob, paths, whose, name, value):
        key = {"alice": alice, "bob": bob}[whose].text
        answers = walk(paths, **{name: value.format(key)})
        assert not [what for what, answer in answers.items() if not is_sent_away(answer)]

    def test_of_an_account_that_is_not_active_are_closed_at_once(self, alice):
        browser = Client()
        browser.force_login(alice.user)
        assert browser.get("/").status_code == 200
        User.objects.update(is_active=False)
        assert is_sent_away(browser.get("/"))

    def test_about_what_is_somebody_elses_are_not_there(self, alice, bob, own):
        browser = Client()
        browser.force_login(bob.user)
        paths = [path for path in PAGES.values() if "{" in path]
        answers = walk([path.format(**own) for path in paths], browser)
        found = {what for what, status in statuses(answers).items() if status not in (404, 405)}
        assert (len(paths), found) == (26, set())
        alice.key.refresh_from_db()
        assert (alice.key.state, alice.key.name) == ("active", "alice's laptop")
        assert Attachment.objects.filter(uid=own["attachment"]).exists()

    def test_tell_nothing_of_somebody_else(self, alice, bob, own, paths):
        told = []
        for who in (alice, bob):
            browser = Client()
            browser.force_login(who.user)
            told.append(tells_of(walk(paths, browser), "alice"))
        talk = f"GET /c/{own['conversation']}/"
        assert told[0] >= {"GET /accounts/keys/", "GET /attachments/", talk}
        assert told[1] == set()


class TestTheAdministration:
    @pytest.mark.parametrize("headers", STRANGERS, indirect=True)
    def test_sends_strangers_to_sign_in(self, headers):
        answers = walk(administration(), **headers)
        assert not [what for what, answer in answers.items() if not is_sent_away(answer)]

    @pytest.mark.parametrize("is_staff", [False, True])
    def test_takes_no_key_not_even_an_administrators(self, db, is_staff):
        boss = Person.make("boss", is_staff=is_staff, is_superuser=is_staff)
        answers = walk(administration(), **bearer(boss.text))
        assert not [what for what, answer in answers.items() if not is_sent_away(answer)]

    def test_is_closed_to_people_who_are_no_administrators(self, bob):
        browser = Client()
        browser.force_login(bob.user)
        paths = [path for path in administration() if path != "/admin/logout/"]
        assert {*statuses(walk(paths, browser)).values()} <= {302, 403}

    def test_shows_no_row_to_an_administrator_without_permissions(self, alice):
        browser = Client()
        browser.force_login(User.objects.create_user("sam", is_staff=True))
        paths = administration(id=alice.key.pk)
        rows = [path for path in paths if re.match(r"/admin/(accounts|auth|mfa|inf)\w*/\w+/", path)]
        shown = {path for path in rows if browser.get(path).status_code not in (302, 403)}
        assert (len(rows) > 50, shown) == (True, set())


class Door(NamedTuple):
    """A socket, a frame that asks for what is Alice's, and what the answer to it ends with."""

    path: str
    frame: dict[str, str]
    end: str


# For whoever has a key, or is signed in on a page of ours.
RESUME = {"type": "resume", "conversation": "{uid}", "message": "{message}"}
GO_ON = {"model-name": "fake", "prompt": "b", "session-id": "hers"}
SOCKETS = {
    "ws/chat/": Door("/ws/chat/", RESUME, '"type":"(done|error)"'),
    "chat/ws": Door("/chat/ws", GO_ON, "b "),
}
each_socket = pytest.mark.parametrize("door", SOCKETS.values(), ids=SOCKETS)


class TestSockets:
    @pytest.fixture(autouse=True)
    async def close(self, leave_no_connection):
        pass

    @pytest.fixture
    def hers(self, alice, fake_model):
        """What Alice has talked about, by its parts of a frame."""
        session = session_of(alice)
        return {"uid": session.uid.hex, "message": session.head.uid.hex}

    def test_each_has_one_row(self):
        assert [str(socket.pattern) for socket in sockets.PATHS] == [*SOCKETS]

    async def told(self, door, hers, key):
        """All that is heard of what the frame asks for."""
        heard = ""
        async with Socket.opened(door.path, **bearer(key)) as socket:
            frame = {name: value.format(**hers) for name, value in door.frame.items()}
            await socket.say_raw(json.dumps(frame))
            while not re.search(door.end, heard):
                heard += await socket.hear_text()
        return heard

    @each_socket
    @pytest.mark.parametrize("headers", STRANGERS, indirect=True)
    async def test_are_closed_to_strangers(self, headers, door):
        assert not await Socket.may_open(door.path, **headers)

    @each_socket
    async def test_take_no_key_from_the_query(self, alice, door):
        query = f"?api_key={alice.text}&token={alice.text}&authorization={alice.text}"
        assert not await Socket.may_open(door.path + query)

    @each_socket
    async def test_let_in_whoever_has_a_key(self, alice, door):
        assert await Socket.may_open(door.path, authorization=f"Bearer {alice.text}")
        assert await Socket.may_open(door.path, x_api_key=alice.text)

    @each_socket
    @pytest.mark.parametrize(
        ("sent", "is_let_in"),
        [({"origin": OWN_PAGE}, True), ({"origin": "http://evil.example"}, False), ({}, False)],
    )
    async def test_take_a_session_from_pages_of_ours_alone(self, alice, door, sent, is_let_in):
        browser = Client()
        backend = "django.contrib.auth.backends.ModelBackend"
        await sync_to_async(browser.force_login)(alice.user, backend)
        cookie = f"sessionid={browser.cookies['sessionid'].value}"
        assert await Socket.may_open(door.path, cookie=cookie, **sent) == is_let_in

    @each_socket
    async def test_tell_whoever_owns_it(self, hers, alice, door):
        assert "secret" in await self.told(door, hers, alice.text)

    @each_socket
    @pytest.mark.parametrize("who", ["bob", "charlie", "nobody's"])
    async def test_tell_a_foreign_key_nothing(self, hers, alice, bob, charlie, door, who):
        await alice.joined_team()
        await bob.joined_team()
        keys = {"bob": bob.text, "charlie": charlie.text, "nobody's": CONFIGURED}
        assert "secret" not in await self.told(door, hers, keys[who])

    @pytest.mark.parametrize(
        "path", ["/", "/ws/", "/ws/chat", "/chat/ws/", "/v1/models", "/admin/"]
    )
    async def test_there_is_no_other(self, alice, path):
        assert not await Socket.may_open(path, **bearer(alice.text))


# What is somebody's


CHAT = {"model": "fake", "messages": [{"role": "user", "content": "a b"}]}
GENERATING = ["/v1/chat/completions", "/v1/completions", "/chat/completions", "/completions"]


async def usage(api: Api) -> dict[str, int]:
    return (await api.get("/v1/usage")).json()["total"]


class TestUsage:
    @pytest.fixture(autouse=True)
    async def close(self, leave_no_connection):
        pass

    async def test_is_the_keys_own(self, fake_model, alice, bob):
        phone = await alice.another_key()
        await alice.api.chat("a b")
        await alice.api.chat("a b")
        await phone.api.chat("a b c")
        told = [await usage(who.api) for who in (alice, phone, bob)]
        assert [(t["requests"], t["prompt_tokens"]) for t in told] == [(2, 4), (1, 3), (0, 0)]

    async def test_of_a_key_of_the_configuration_is_its_own_too(self, fake_model, alice, configure):
        other = "another-key-of-the-configuration"
        configure(security={"api_keys": [CONFIGURED, other]})
        await Api(CONFIGURED).chat("a b")
        await alice.api.chat("a b")
        assert (await usage(Api(CONFIGURED)))["requests"] == 1
        assert (await usage(Api(other)))["requests"] == 0

    async def test_names_nobody_else(self, fake_model, alice, bob):
        await alice.rules("group", tokens_per_day=1000)
        await bob.rules("user", tokens_per_day=500)
        await bob.joined_team()
        await bob.api.chat("a b")
        answer = await alice.api.get("/v1/usage")
        assert "bob" not in answer.content.decode()
        assert [(q["level"], q["used"]) for q in answer.json()["quotas"]] == [("group team", 5)]


class TestModels:
    @pytest.fixture(autouse=True)
    async def close(self, leave_no_connection):
        pass

    @pytest.fixture
    def secret(self, fake_row):
        row = LanguageModel.objects.create(slug="secret", source="file:///s", file="/s.gguf")
        row.aliases.create(name="gpt-secret")
        return row

    async def test_that_a_policy_hides_are_not_listed(self, secret, alice, bob):
        await alice.rules("user", allowed_models=["fa*"])
        openais = [(await who.api.get("/v1/models")).json()["data"] for who in (alice, bob)]
        assert [[m["id"] for m in data] for data in openais] == [["fake"], ["fake", "secret"]]
        olders = [(await who.api.get("/models")).json()["models"] for who in (alice, bob)]
        assert olders == [["fake"], ["fake", "secret"]]

    @pytest.mark.parametrize("name", ["secret", "gpt-secret"])
    async def test_that_a_policy_hides_are_refused_by_its_rule(self, secret, alice, bob, name):
        await alice.rules("user", allowed_models=["fa*"])
        openai, older = [await alice.api.get(f"{at}/{name}") for at in ("/v1/models", "/models")]
        sentence = "The model 'secret' is not allowed (rule allowed_models of user alice)."
        assert (openai.status_code, older.status_code) == (403, 403)
        assert openai.json()["error"]["message"] == older.json()["error"] == sentence
        assert (await bob.api.get(f"/v1/models/{name}")).status_code == 200


class TestIdempotencyKeys:
    @pytest.fixture(autouse=True)
    async def close(self, leave_no_connection):
        pass

    async def ask(self, who, path="/v1/chat/completions", **fields):
        return await who.api.post(path, {**CHAT, **fields}, **{"idempotency-key": "k"})

    async def test_of_alice_are_nothing_to_bob(self, fake_model, alice, bob):
        hers, his, other = (
            await self.ask(alice),
            await self.ask(bob),
            await self.ask(bob, seed=1),
        )
        assert hers.json()["id"] != his.json()["id"]
        assert "idempotent-replayed" not in his
        assert other.status_code == 409  # his own first request, not hers

    @pytest.mark.parametrize("path", GENERATING)
    @pytest.mark.parametrize("dialect", ["model", "model-name"])
    async def test_are_nothing_to_bob_on_any_path(self, fake_model, alice, bob, path, dialect):
        body = {"prompt": "a b", dialect: "fake"}
        hers, again, his = [await self.ask(who, path, **body) for who in (alice, alice, bob)]
        assert [answer.status_code for answer in (hers, again, his)] == [200] * 3
        replayed = ["idempotent-replayed" in answer for answer in (hers, again, his)]
        assert replayed == [False, True, False]

    async def test_are_of_one_key_and_not_of_another_of_that_person(self, fake_model, alice):
        first, other = await self.ask(alice), await self.ask(await alice.another_key())
        assert first.json()["id"] != other.json()["id"]
        assert (await self.ask(alice)).json()["id"] == first.json()["id"]

    async def test_of_a_refused_request_are_free_again(self, fake_model, alice):
        policy = await alice.rules("key", tokens_per_day=1)
        assert (await self.ask(alice)).status_code == 400
        await sync_to_async(policy.delete)()
        assert (await self.ask(alice)).status_code == 200
