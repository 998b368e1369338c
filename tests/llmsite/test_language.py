"""Pages in the reader's language, and all else in English."""

import asyncio
import re
import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import AsyncClient, Client
from django.utils import timezone, translation

from accounts.errors import Exceeds, Forbidden, LimitReached, QuotaExhausted
from accounts.models import ApiKey, Policy, UsageRecord, User
from chat import fragments
from chat.models import Attachment, Role, Status
from chat.sentences import SENTENCES
from inference.failures import ENGINE_ERRORS
from inference.models import LanguageModel
from llmsite.config import Config
from llmsite.security import security_settings
from tests.accounts.site import browser_of, configured, sign_in, text
from tests.api.client import Api
from tests.chat import talk

GERMAN = {"accept-language": "de-AT,de;q=0.9,en;q=0.5"}
LANGUAGE = "/accounts/language/"


@pytest.fixture(autouse=True)
def site(settings):
    """And no test's language is another's: clients of tests share a thread."""
    configured(settings)
    with translation.override("en"):
        yield


@pytest.fixture
def alice(db) -> User:
    return talk.person("alice")


@pytest.fixture
def german(alice) -> Client:
    """Alice's browser."""
    browser = Client(headers=GERMAN)
    browser.force_login(alice)
    return browser


@pytest.fixture
def model(db) -> LanguageModel:
    return LanguageModel.objects.create(
        slug="small", name="Small One", source="file:///m", file="/m.gguf", trained_context=4096
    )


@pytest.fixture
def bees(alice, model):
    """A question with a file, and its answer."""
    made = talk.conversation(alice, "Bees", ("How many?",), model="small")
    talk.message(
        made,
        "Many.",
        made.head,
        Role.ASSISTANT,
        model="small",
        prompt_tokens=2000,
        completion_tokens=1234,
        first_token_seconds=0.25,
        decode_seconds=100.0,
        context_length=4096,
    )
    Attachment.objects.create(
        user=alice, message=made.head, name="a.txt", size_bytes=9, text="…", num_tokens=1500
    )
    made.head = made.messages.last()
    made.save()
    return made


def read(browser, path, status=200) -> str:
    page = browser.get(path)
    assert page.status_code == status
    assert '<html lang="de">' in text(page)
    assert page.headers["content-language"] == "de"
    return text(page)


# --- German, page by page


def test_sign_in_is_in_german(db):
    page = read(Client(headers=GERMAN), "/accounts/login/")
    assert all(said in page for said in ("Anmelden", "Benutzername oder E-Mail", "Passwort"))
    wrong = text(sign_in(Client(headers=GERMAN), "alice", "wrong"))
    assert "das Passwort sind leider falsch" in wrong


def test_nouns_keep_their_capitals(german):
    assert ">Neues Passwort<" in read(german, "/accounts/password/change/")


def test_two_factor_sign_in_is_in_german(german, settings):
    configured(settings, security={"enable_totp": True})
    assert "Anmeldung in zwei Schritten" in read(german, "/accounts/2fa/")


def test_a_new_chat_is_in_german(german, model):
    page = read(german, "/")
    assert all(said in page for said in ("Neue Unterhaltung", "Frag etwas", "Was möchtest du"))
    assert "Platz {position} in der Warteschlange" in page  # for scripts


def test_an_answer_is_in_german_with_german_numbers(german, bees):
    page = read(german, f"/c/{bees.uid}/")
    assert all(said in page for said in ("Antwort von small", "1.234 Tokens", "12,3 pro Sekunde"))
    assert all(said in page for said in ("Beginn nach 0,25 s", "1.500 Tokens", "3.234 von 4.096"))


def test_what_scripts_read_of_it_is_the_same_in_every_language(german, alice, bees):
    numbers = re.compile(r'(?:data-[\w-]*seq|aria-value\w+|stroke-dasharray|step|min)="([^"]*)"')
    english = text(browser_of(alice).get(f"/c/{bees.uid}/"))
    found = numbers.findall(read(german, f"/c/{bees.uid}/"))
    assert found == numbers.findall(english)
    assert {"3234", "4096", "0.05", "79 100"} <= set(found)


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("c/list/archived/", "Archiviert"),
        ("c/list/deleted/", "Zuletzt gelöscht"),
        ("c/search/?q=bees", "1 Unterhaltung gefunden"),
        ("c/search/?q=zzz", "0 Unterhaltungen gefunden"),
        ("c/folders/", "Du hast noch keinen Ordner."),
        ("c/presets/", "Du hast noch keine Vorlage."),
        ("c/import/", "Import und Export"),
        ("c/shared/", "Es gibt noch keinen Link."),
        ("connect/", "nicht geladen"),
        ("compare/", "Zwei Modelle vergleichen"),
    ],
)
def test_the_library_is_in_german(german, bees, page, said):
    assert said in read(german, f"/{page}")


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("menu", "Einstellungen als Vorlage speichern"),
        ("title", "Umbenennen"),
        ("delete", "„Bees“ löschen?"),
        ("share", "Wer den Link hat, kann ohne Anmeldung lesen:"),
        ("settings", "Höchstzahl der Tokens einer Antwort"),
    ],
)
def test_what_is_done_with_a_conversation_is_in_german(german, bees, page, said):
    assert said in read(german, f"/c/{bees.uid}/{page}/")


def test_what_was_done_is_said_in_german(german, bees):
    page = german.post(f"/c/{bees.uid}/pin/", follow=True)
    assert "Angeheftet." in text(page)


def test_a_file_that_is_refused_is_refused_in_german(german, bees):
    answer = german.post("/attachments/", {})
    assert answer.json()["error"]["message"] == "Sende genau eine Datei, im Feld „file“."


def test_why_an_answer_failed_is_in_german(german, bees):
    failed = {"status": Status.FAILED, "error_code": "overloaded", "error": "No memory is free."}
    bees.messages.filter(role=Role.ASSISTANT).update(**failed)
    page = read(german, f"/c/{bees.uid}/")
    assert "kein Platz im Speicher" in page
    assert "No memory is free." not in page


def test_in_english_and_where_nobody_knows_better_the_message_itself_is_said(german, alice, bees):
    failed = {"status": Status.FAILED, "error_code": "overloaded", "error": "No memory is free."}
    bees.messages.filter(role=Role.ASSISTANT).update(**failed)
    assert "No memory is free." in text(browser_of(alice).get(f"/c/{bees.uid}/"))
    bees.messages.filter(role=Role.ASSISTANT).update(error_code="content_denied", error="So nicht.")
    assert "So nicht." in read(german, f"/c/{bees.uid}/")


def test_code_is_labelled_in_german_whoever_read_it_before(german, alice, bees):
    bees.messages.filter(role=Role.ASSISTANT).update(text="```\nx\n```")
    address = f"/c/{bees.uid}/"
    label = re.compile(r'md-language">([^<]*)<.*?class="copy"[^>]*>([^<]*)<', re.DOTALL)
    assert label.search(text(browser_of(alice).get(address))).groups() == ("text", "Copy")
    assert label.search(read(german, address)).groups() == ("Text", "Kopieren")
    bees.messages.filter(role=Role.ASSISTANT).update(status=Status.RUNNING)
    assert label.search(read(german, address)).groups() == ("Text", "Kopieren")


def test_a_number_out_of_its_range_is_refused_in_german(german, bees):
    page = german.post(f"/c/{bees.uid}/settings/", {"temperature": "3"})
    assert page.status_code == 400
    assert "kleiner oder gleich 2" in text(page)


def test_every_code_that_a_page_meets_has_a_sentence_or_words_of_its_own():
    """Of these the message names what is wrong, or is the site's own."""
    own = {"invalid_request_error", "content_denied", "grammar_too_complex"}
    codes = {code for _, _, code in ENGINE_ERRORS.values()}
    assert codes - own <= {*SENTENCES}
    assert {error.code for error in (Forbidden, Exceeds, LimitReached, QuotaExhausted)} <= {
        *SENTENCES
    }


def test_my_keys_are_in_german_with_german_numbers_and_dates(german, alice):
    Policy.objects.create(user=alice, tokens_per_day=50_000)
    key, _ = ApiKey.objects.issue(alice, "laptop", timezone.now() + timedelta(days=1))
    ApiKey.objects.update(created_at="2026-03-05T00:00Z")
    UsageRecord.objects.create(
        uid=uuid.uuid4(), user=alice, key=key, owner="", at=timezone.now(), prompt_tokens=12_345
    )
    page = read(german, "/accounts/keys/")
    assert "Höchstens 50.000 Tokens pro Tag (UTC)" in page
    assert all(said in page for said in ("5. März 2026", "1 Anfrage<", "12.345 Tokens", ">aktiv<"))
    coordinates = re.findall(r' (?:x|y|x1|x2|y1|y2|width|height)="([^"]*)"', page)
    assert coordinates
    assert not [one for one in coordinates if "," in one]


def test_a_groups_limit_is_in_german(german, alice):
    group = Group.objects.create(name="research")
    group.user_set.add(alice)
    Policy.objects.create(group=group, max_running=4)
    page = read(german, "/accounts/keys/")
    assert "Höchstens 4 Anfragen gleichzeitig, geteilt mit der Gruppe research" in page


def test_a_key_is_made_and_refused_in_german(german):
    wrong = {"name": "a", "expires": "date", "last_day": "2020-01-01"}
    assert "1. Jan. 2020 liegt nicht zwischen heute und" in text(
        german.post("/accounts/keys/", wrong)
    )
    made = text(german.post("/accounts/keys/", {"name": "a", "expires": "never"}))
    assert 'data-copied="Kopiert"' in made


def test_what_is_not_there_is_not_there_in_german(german):
    assert "Hier ist nichts" in read(german, "/nowhere/", status=404)


def test_a_form_that_is_too_old_is_so_in_german(db):
    strict = Client(enforce_csrf_checks=True, headers=GERMAN)
    refused = text(strict.post("/accounts/login/", {}))
    assert "Das Formular war zu alt" in refused


def test_a_failure_is_in_german(german, monkeypatch):
    monkeypatch.setattr("inference.runtime.catalogue", lambda: 1 / 0)
    german.raise_request_exception = False
    assert "Etwas ist kaputtgegangen" in read(german, "/", status=500)


@pytest.mark.django_db(transaction=True)
async def test_pieces_that_a_socket_sends_are_in_german(bees, rf):
    request = rf.get("/ws/chat/", headers=GERMAN)
    html = await fragments.message_html(bees.head.uid, request)
    assert "1.234 Tokens" in html


# --- which language


@pytest.mark.parametrize("asked", ["fr", "tlh, fr;q=0.5", "x" * 600, ""])
def test_an_unknown_language_is_answered_in_english(db, asked):
    page = text(Client(headers={"accept-language": asked}).get("/accounts/login/"))
    assert '<html lang="en">' in page
    assert "Sign in" in page


def switched(browser, language="de", to="/accounts/login/"):
    return browser.post(LANGUAGE, {"language": language, "next": to})


def test_whoever_is_not_signed_in_can_switch(db):
    browser = Client()
    assert switched(browser).headers["location"] == "/accounts/login/"
    assert "Anmelden" in read(browser, "/accounts/login/")


def test_a_choice_counts_more_than_the_browsers(german):
    switched(german, "en", "/")
    assert '<html lang="en">' in text(german.get("/"))


@pytest.mark.parametrize("path", ["/", "/accounts/keys/", "/nowhere/", "/compare/"])
def test_every_page_has_the_switch_and_leads_back(german, path):
    page = text(german.get(path))
    [form] = re.findall(r'(?s)<form class="languages".*?</form>', page)
    assert f'action="{LANGUAGE}"' in form
    assert f'name="next" value="{path}"' in form
    assert re.findall(r'value="(\w\w)"[^>]*aria-current', form) == ["de"]
    assert re.findall(r">(\w+)</button>", form) == ["English", "Deutsch"]


def test_the_switch_leads_to_no_other_site(db):
    answer = switched(Client(), to="https://evil.example/")
    assert answer.headers["location"] == "/"


def test_the_switch_takes_no_form_of_another_site(db):
    strict = Client(enforce_csrf_checks=True)
    assert switched(strict).status_code == 403


def test_the_choice_is_kept_in_a_cookie_that_scripts_and_other_sites_do_not_see(db):
    cookie = switched(Client()).cookies["django_language"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert cookie["max-age"] == 365 * 24 * 3600


def test_over_tls_the_cookie_is_for_tls_and_this_host_only(db, settings):
    public = {"public_url": "https://llm.example.org"}
    derived = security_settings(Config.model_validate({"server": public}))
    for name in ("LANGUAGE_COOKIE_NAME", "LANGUAGE_COOKIE_SECURE"):
        setattr(settings, name, derived[name])
    cookie = switched(Client()).cookies["__Host-language"]
    assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")


# --- what stays


def test_the_administration_is_in_english(admin_client):
    page = text(admin_client.get("/admin/", headers=GERMAN))
    assert 'lang="en"' in page
    assert "API keys" in page


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "body", [{"model": "none", "messages": [{"role": "user", "content": "a"}]}, {}, []]
)
async def test_the_api_answers_in_english(body):
    english = await Api().post("/v1/chat/completions", body)
    german = await Api().post("/v1/chat/completions", body, **GERMAN)
    assert german.content == english.content
    assert "content-language" not in german.headers


@pytest.mark.django_db(transaction=True)
async def test_the_api_is_in_english_after_a_page_in_german():
    """Each in a task of its own, as servers have it."""
    page = await asyncio.create_task(AsyncClient().get("/accounts/login/", headers=GERMAN))
    answer = await asyncio.create_task(Api().post("/v1/chat/completions", {}, **GERMAN))
    assert "Anmelden" in text(page)
    assert answer.json() == (await Api().post("/v1/chat/completions", {})).json()
