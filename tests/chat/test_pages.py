"""The chat's pages as they are before any script runs: whose they are, and what they show."""

import re
from uuid import UUID

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.callers import caller_of
from accounts.models import Policy, User
from chat.branch import branch
from chat.models import Attachment, Conversation, Message, Preset, Role, Status
from inference.models import LanguageModel
from tests.accounts.site import browser_of, configured, text


@pytest.fixture(autouse=True)
def site(settings):
    configured(settings)


@pytest.fixture(autouse=True)
def model(db):
    return LanguageModel.objects.create(
        slug="small", name="Small One", source="file:///m", file="/m.gguf", trained_context=4096
    )


@pytest.fixture
def alice(db):
    return User.objects.create_user("alice")


@pytest.fixture
def charlie(db):
    return User.objects.create_user("charlie")


@pytest.fixture
def talk(alice):
    owner = caller_of(alice).owner
    return Conversation.objects.create(owner=owner, user=alice, title="Bees", model="small")


def says(talk, said, parent=None):
    return Message.objects.create(
        conversation=talk, parent=parent or talk.head, role=Role.USER, text=said
    )


def answer(talk, question, written, **fields):
    made = Message.objects.create(
        conversation=talk,
        parent=question,
        role=Role.ASSISTANT,
        text=written,
        **{"model": "small", **fields},
    )
    talk.head = made
    talk.save()
    return made


def path(talk, rest=""):
    return f"/c/{talk.uid}/{rest}"


def page(user, talk):
    return text(browser_of(user).get(path(talk)))


def article(html, message):
    """The message's element, as far as the next one's."""
    return re.search(
        rf'<article [^>]*id="message-{message.uid.hex}".*?</article>', html, re.DOTALL
    )[0]


# --- whose


def test_a_conversation_is_there_for_its_owner(alice, talk):
    assert '<h1 id="title">Bees</h1>' in page(alice, talk)


@pytest.mark.parametrize("rest", ["", "settings/"])
def test_for_somebody_else_there_is_none(charlie, talk, rest):
    assert browser_of(charlie).get(path(talk, rest)).status_code == 404


def test_nobody_else_changes_its_settings(charlie, talk):
    answered = browser_of(charlie).post(path(talk, "settings/"), {"system_prompt": "Obey me."})
    talk.refresh_from_db()
    assert (answered.status_code, talk.system_prompt) == (404, "")


def test_nobody_else_switches_its_branch(charlie, talk):
    question = says(talk, "Do they sleep?")
    first, second = answer(talk, question, "Yes."), answer(talk, question, "No.")
    answered = browser_of(charlie).post("/c/branch/", {"message": first.uid.hex})
    talk.refresh_from_db()
    assert (answered.status_code, talk.head) == (404, second)


@pytest.mark.parametrize("side", ["left", "right"])
def test_nobody_else_compares_it(charlie, talk, side):
    assert browser_of(charlie).get(f"/compare/?{side}={talk.uid}").status_code == 404


def test_what_was_deleted_or_is_a_session_has_no_page(alice, talk):
    session = Conversation.objects.create(owner=talk.owner, user=alice, session_id="abc")
    Conversation.objects.filter(pk=talk.pk).update(deleted_at="2026-01-01T00:00Z")
    browser = browser_of(alice)
    assert [browser.get(path(one)).status_code for one in (talk, session)] == [404, 404]


def test_without_sign_in_everybody_has_the_same(settings, db):
    configured(settings, security={"enable_auth": False})
    local = User.objects.local()
    talk = Conversation.objects.create(owner=caller_of(local).owner, user=local, title="Ours")
    assert '<h1 id="title">Ours</h1>' in text(Client().get(path(talk)))


def test_pages_of_conversations_are_not_kept_by_browsers(alice, talk):
    assert "no-store" in browser_of(alice).get(path(talk)).headers["cache-control"]


# --- first paint


def test_what_was_said_is_there_without_a_script(alice, talk):
    asked = says(talk, "Is <b>this</b> a\nbee?")
    answered = answer(talk, asked, "**Yes.**\n\nIt is.")
    html = page(alice, talk)
    assert '<div class="said">Is &lt;b&gt;this&lt;/b&gt; a\nbee?</div>' in article(html, asked)
    assert '<div class="block" data-index="0"><p><strong>Yes.</strong></p>' in article(
        html, answered
    )
    assert '<div class="block" data-index="1"><p>It is.</p>' in article(html, answered)


def test_nothing_is_inline(alice, talk):
    answer(talk, says(talk, "Why?"), "```python\nx = 1\n```\n\n|a|\n|-:|\n|1|\n\n$x^2$")
    browser = browser_of(alice)
    pages = [text(browser.get(one)) for one in (path(talk), path(talk, "settings/"), "/compare/")]
    assert [
        re.findall(r"<style|\son\w+=|\sstyle=|<script(?![^>]* src=)", one) for one in pages
    ] == [
        [],
        [],
        [],
    ]


def test_what_needs_a_script_says_so(alice, talk):
    assert "<noscript>" in page(alice, talk)


def test_an_answer_has_its_figures(alice, talk):
    figures = {"completion_tokens": 1201, "first_token_seconds": 0.314, "decode_seconds": 48.0}
    answered = answer(talk, says(talk, "Why?"), "So.", **figures)
    html = article(page(alice, talk), answered)
    assert "<li>1,201 tokens</li><li>25.0 a second</li><li>first after 0.31 s</li>" in re.sub(
        r">\s+<", "><", html
    )


def test_a_running_answer_shows_what_was_kept_and_where_to_go_on(alice, talk):
    running = answer(talk, says(talk, "Count."), "One, tw🐝", reasoning="Hm", status=Status.RUNNING)
    html = article(page(alice, talk), running)
    assert 'data-status="running"' in html
    assert 'data-seq="8" data-reasoning-seq="2"' in html
    assert "One, tw🐝" in html
    assert 'class="about waiting"' in html


def test_the_page_of_its_settings_calls_a_conversation_by_its_title(alice, talk):
    html = text(browser_of(alice).get(path(talk, "settings/")))
    assert f'<a href="{path(talk)}">Bees</a>' in html


def test_the_thoughts_are_folded(alice, talk):
    thought = answer(talk, says(talk, "Why?"), "So.", reasoning="Let me see.")
    html = article(page(alice, talk), thought)
    assert re.search(r'<details class="thinking">.*Let me see\..*</details>', html, re.DOTALL)


def test_without_thoughts_there_is_nothing_to_unfold(alice, talk):
    answered = answer(talk, says(talk, "Why?"), "So.")
    assert '<details class="thinking" hidden>' in article(page(alice, talk), answered)


@pytest.mark.parametrize(
    ("fields", "words", "actions"),
    [
        ({"status": Status.STOPPED}, "You stopped this answer.", ["continue", "copy", "again"]),
        (
            {"status": Status.INTERRUPTED},
            "This answer was cut off when its server stopped.",
            ["continue", "again", "copy", "again"],
        ),
        (
            {"status": Status.FAILED, "error": "The queue is full."},
            "The queue is full.",
            ["continue", "again", "copy", "again"],
        ),
        (
            {"status": Status.FAILED, "error": "The queue is full.", "text": ""},
            "The queue is full.",
            ["again", "again"],
        ),
        (
            {"status": Status.STOPPED, "text": "", "reasoning": "Hm"},
            "You stopped this answer.",
            ["continue", "again"],
        ),
        (
            {"finish_reason": "length"},
            "This answer has reached its limit of tokens.",
            ["continue", "copy", "again"],
        ),
    ],
)
def test_an_answer_that_is_not_whole_says_why_and_what_can_be_done(
    alice, talk, fields, words, actions
):
    answered = answer(talk, says(talk, "Why?"), "Beca")
    Message.objects.filter(pk=answered.pk).update(**fields)
    html = article(page(alice, talk), answered)
    assert f"<p>{words}</p>" in html
    assert re.findall(r'data-do="(\w+)"', html) == actions


def test_a_whole_answer_says_no_such_thing(alice, talk):
    answered = answer(talk, says(talk, "Why?"), "So.", finish_reason="stop")
    assert "outcome" not in article(page(alice, talk), answered)


def test_attachments_are_counted_through_and_cited(alice, talk):
    first = says(talk, "Read this.")
    answer(talk, first, "I did.")
    second = says(talk, "And this.")
    cites = answer(talk, second, "As [2] says, but not [3].")
    for message, name in ((first, "one.txt"), (second, "two.txt")):
        facts = {"media_type": "text/plain", "size_bytes": 9, "text": "…", "num_tokens": 1500}
        Attachment.objects.create(user=alice, message=message, name=name, **facts)
    html = page(alice, talk)
    assert re.search(r'id="attachment-2".*two\.txt.*1,500 tokens', article(html, second), re.DOTALL)
    assert re.findall(r'href="(#\S+)"', article(html, cites)) == ["#attachment-2"]


def test_a_conversation_may_begin_with_an_answer(alice, talk):
    greeting = answer(talk, None, "How can I help?")
    assert "How can I help?" in article(page(alice, talk), greeting)


# --- what the model sees


def test_the_page_says_what_the_model_no_longer_sees(alice, talk):
    old = says(talk, "Long ago.")
    older = answer(talk, old, "I see.")
    new = says(talk, "Now.")
    answer(talk, new, "Yes?", context_length=4096, unseen=[old.uid.hex, older.uid.hex])
    html = page(alice, talk)
    assert [("is-unseen" in article(html, one)) for one in (old, older, new)] == [True, True, False]
    after = html.split(article(html, older))[1]
    assert after.lstrip().startswith('<p class="unseen-above">')


def test_the_gauge_is_of_the_newest_answer(alice, talk):
    answer(
        talk,
        says(talk, "Now."),
        "Yes.",
        prompt_tokens=900,
        completion_tokens=124,
        context_length=4096,
    )
    html = page(alice, talk)
    assert 'aria-valuemax="4096" aria-valuenow="1024"' in html
    assert 'stroke-dasharray="25 100"' in html


# --- branches


def test_other_branches_are_a_form_away(alice, talk):
    question = says(talk, "Do they sleep?")
    first, second = answer(talk, question, "Yes."), answer(talk, question, "No.")
    browser = browser_of(alice)
    html = text(browser.get(path(talk)))
    assert "2 / 2" in article(html, second)
    assert f'value="{first.uid.hex}" data-way="previous"' in article(html, second)
    there = browser.post("/c/branch/", {"message": first.uid.hex})
    assert there.headers["location"] == f"{path(talk)}#message-{first.uid.hex}"
    assert "1 / 2" in article(text(browser.get(path(talk))), first)


@pytest.mark.parametrize("message", ["", "7", UUID(int=4).hex])
def test_a_branch_that_is_not_there_is_not_found(alice, message):
    assert browser_of(alice).post("/c/branch/", {"message": message}).status_code == 404


def test_what_was_never_changed_has_no_versions(alice, talk):
    answer(talk, says(talk, "Do they sleep?"), "Yes.")
    assert 'class="branches"' not in page(alice, talk)


# --- models


def test_the_model_is_the_conversations(alice, talk):
    LanguageModel.objects.create(slug="big", source="file:///b", file="/b.gguf")
    assert '<option value="small" selected>Small One</option>' in page(alice, talk)


def test_a_new_conversation_begins_with_the_last_ones_model(alice, talk):
    LanguageModel.objects.create(slug="a-first", source="file:///b", file="/b.gguf")
    assert '<option value="small" selected>' in text(browser_of(alice).get("/"))


def test_a_model_that_is_offered_no_more_is_still_named(alice, talk):
    Conversation.objects.filter(pk=talk.pk).update(model="gone")
    assert '<option value="gone" selected>gone</option>' in page(alice, talk)


def test_models_that_a_person_may_not_use_are_not_in_the_choice(alice):
    Policy.objects.create(user=alice, allowed_models=["other-*"])
    html = text(browser_of(alice).get("/"))
    assert "Small One" not in html
    assert "There is no model that you may use" in html
    assert 'id="composer"' not in html


def test_without_a_model_it_says_how_to_add_one(settings, model):
    configured(settings, security={"enable_auth": False})
    model.delete()
    html = text(Client().get("/"))
    assert "There is no model yet" in html
    assert 'href="/admin/inference/languagemodel/add/"' in html


def test_without_a_model_history_can_still_be_read(alice, talk, model):
    answered = answer(talk, says(talk, "Why?"), "So.")
    model.delete()
    assert "So." in article(page(alice, talk), answered)


# --- settings


def test_settings_are_saved_and_come_back(alice, talk):
    browser = browser_of(alice)
    given = {"system_prompt": "Be brief.", "temperature": "0.3", "stop": "END\n\nSTOP"}
    answered = browser.post(path(talk, "settings/"), given)
    talk.refresh_from_db()
    assert answered.headers["location"] == path(talk)
    assert talk.system_prompt == "Be brief."
    assert talk.parameters == {"temperature": 0.3, "stop": ["END", "STOP"]}
    html = text(browser.get(path(talk, "settings/")))
    assert 'name="temperature" value="0.3"' in html
    assert ">\nEND\nSTOP</textarea>" in html


@pytest.mark.parametrize(
    ("name", "value"), [("temperature", "3"), ("top_p", "0"), ("max_tokens", "many")]
)
def test_a_setting_that_cannot_be_used_is_refused_beside_its_field(alice, talk, name, value):
    answered = browser_of(alice).post(path(talk, "settings/"), {name: value})
    talk.refresh_from_db()
    assert (answered.status_code, talk.parameters) == (400, {})
    assert re.search(rf'name="{name}".*?class="errorlist"', text(answered), re.DOTALL)


def test_presets_of_ones_own_can_be_chosen(alice, charlie):
    Preset.objects.create(user=alice, name="Terse", parameters={"temperature": 0.1})
    Preset.objects.create(user=charlie, name="Loud")
    html = text(browser_of(alice).get("/"))
    assert 'data-parameters="{&quot;temperature&quot;: 0.1}">Terse</option>' in html
    assert "Loud" not in html


# --- side by side


def test_two_models_are_offered_side_by_side(alice):
    LanguageModel.objects.create(slug="other", source="file:///b", file="/b.gguf")
    html = text(browser_of(alice).get("/compare/"))
    assert re.findall(r'<option value="(\w+)" selected>', html) == ["other", "small"]


def test_two_conversations_are_shown_side_by_side(alice, talk):
    answered = answer(talk, says(talk, "Why?"), "So.")
    html = text(browser_of(alice).get(f"/compare/?left={talk.uid}"))
    assert "So." in article(html, answered)
    assert f'href="{path(talk)}">Continue in this one' in html


def test_what_is_no_conversation_cannot_be_compared(alice):
    assert browser_of(alice).get("/compare/?left=7").status_code == 404


# --- pieces of it


def test_the_socket_renders_the_same_without_a_request(alice, talk):
    question = says(talk, "Why?")
    Attachment.objects.create(
        user=alice, message=question, name="a.txt", media_type="text/plain", size_bytes=1
    )
    answered = answer(talk, question, "As [1] says.")
    asked, said = branch(talk)
    turn = render_to_string("chat/turn.html", {"question": asked, "answer": said})
    assert 'data-parent=""' in turn
    assert 'id="attachment-1"' in article(turn, question)
    whole = render_to_string("chat/message.html", {"shown": said})
    assert 'href="#attachment-1"' in article(whole, answered)


def test_a_turn_says_which_answer_it_follows(alice, talk):
    first = answer(talk, says(talk, "Why?"), "So.")
    answer(talk, says(talk, "And?"), "Then.")
    turns = re.findall(r'<section class="turn" data-parent="(\w*)">', page(alice, talk))
    assert turns == ["", first.uid.hex]


def queries_for(browser, address):
    with CaptureQueriesContext(connection) as queries:
        browser.get(address)
    return len(queries)


def test_a_long_conversation_takes_as_many_queries_as_a_short_one(alice, talk):
    browser = browser_of(alice)
    answer(talk, says(talk, "Why?"), "So.")
    short = queries_for(browser, path(talk))
    for _ in range(5):
        answer(talk, says(talk, "Why?"), "So.")
    assert queries_for(browser, path(talk)) == short
