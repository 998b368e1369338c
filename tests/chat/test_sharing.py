"""Links that anybody may read under: what they show, to whom, and until when."""

import re
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Semaphore

import pytest
from django.test import Client
from django.utils import timezone
from redis.exceptions import RedisError

from accounts.models import AuditEntry
from chat import shared_page
from chat.models import Message, Role, Share, Status
from chat.pages import sharing as pages
from chat.sharing import revoke, share
from chat.templatetags import chat as templatetags
from chat.turns import edit
from tests.accounts.site import browser_of, configured, text
from tests.chat.talk import attached, conversation, message, person


@pytest.fixture
def alice(db, settings):
    configured(settings)
    return person("alice")


@pytest.fixture
def cake(alice):
    made = conversation(alice, "Cake", ("How?", "**So.**"), system_prompt="Be brief.")
    Message.objects.filter(pk=made.head_id).update(reasoning="Hm, eggs.", model="qwen")
    return made


def shown(link):
    """As a stranger sees it."""
    return Client().get(f"/s/{link.token}/")


# What it shows


def test_system_messages_of_the_branch_are_not_shown(alice):
    """As imports and programs have them."""
    made = conversation(alice, "Cake")
    system = message(made, "Be secretive.", role=Role.SYSTEM)
    made.head = message(made, "How?", system)
    made.save()
    page = text(shown(share(made)))
    assert "How?" in page
    assert "Be secretive." not in page
    assert "System prompt" not in page


def test_a_stranger_reads_the_branch_without_signing_in(cake):
    page = shown(share(cake))
    assert page.status_code == 200
    assert re.findall(r"(?:How\?|<strong>So\.</strong>|qwen)", text(page)) == [
        *("How?", "qwen", "<strong>So.</strong>")
    ]
    assert "<h1>Cake</h1>" in text(page)


def test_it_tells_nothing_else(cake, alice):
    attached(alice, cake.messages.first(), name="recipe.txt", text="grandmother's secret")
    page = text(shown(share(cake)))
    assert "recipe.txt" in page
    for hidden in ("grandmother", "alice", "Be brief.", "Hm, eggs.", str(cake.uid), cake.uid.hex):
        assert hidden not in page


def test_it_needs_no_scripts_and_search_engines_stay_away(cake):
    page = shown(share(cake))
    assert page["X-Robots-Tag"] == "noindex, nofollow, noarchive"
    assert page["Referrer-Policy"] == "no-referrer"
    assert "no-store" in page["Cache-Control"]
    assert '<meta name="robots" content="noindex, nofollow">' in text(page)
    assert "script-src 'self'" in page["Content-Security-Policy"]


def test_what_is_said_later_is_not_shown(cake):
    link = share(cake)
    cake.head = message(cake, "And then?", cake.head)
    cake.save()
    assert "And then?" not in text(shown(link))
    assert "And then?" in text(shown(share(cake)))


def test_an_edited_branch_is_not_shown(cake):
    link = share(cake)
    turn = edit(cake.messages.first(), "How not?", None, "channel")
    Message.objects.filter(pk=turn.answer.pk).update(text="Never.", status=Status.COMPLETE)
    page = text(shown(link))
    assert "How?" in page
    assert "How not?" not in page
    assert "Never." not in page


def test_an_answer_that_goes_on_is_shown_as_far_as_it_was(cake):
    link = share(cake)
    Message.objects.filter(pk=cake.head_id).update(text="**So.** And more.")
    assert "And more" not in text(shown(link))


def test_an_answer_without_a_word_yet_is_left_out(alice):
    made = conversation(alice, "Cake", ("How?",))
    made.head = message(made, "", made.head, Role.ASSISTANT, status=Status.RUNNING, model="qwen")
    made.save()
    assert "qwen" not in text(shown(share(made)))


def test_signs_of_markup_are_text(alice):
    made = conversation(alice, "<b>T</b>", ("<script>q()</script>", "<script>a()</script>"))
    page = text(shown(share(made)))
    assert "<script>q()" not in page
    assert "<script>a()" not in page
    assert "<b>T</b>" not in page


def test_a_title_that_is_given_later_is_not_shown(cake):
    link = share(cake)
    cake.entitle("Divorce")
    page = text(shown(link))
    assert "<h1>Cake</h1>" in page
    assert "Divorce" not in page
    assert "<h1>Divorce</h1>" in text(shown(share(cake)))


# What it costs


def renderings(monkeypatch):
    """The texts that are rendered from now on."""
    rendered = []

    def render(text, num_citations, labels):
        rendered.append(text)
        return ""

    monkeypatch.setattr(templatetags, "_remembered", render)
    monkeypatch.setattr(templatetags, "_markdown", render)
    return rendered


def test_a_page_is_rendered_once_and_its_link_looked_at_each_time(cake, monkeypatch):
    rendered, link = renderings(monkeypatch), share(cake)
    for _ in range(3):
        assert "How?" in text(shown(link))
    assert rendered == ["**So.**"]
    revoke(link, timezone.now())
    assert shown(link).status_code == 404


def test_long_answers_are_shown_as_they_were_written(cake, monkeypatch):
    monkeypatch.setattr(shared_page, "MAX_OF_ANSWER", 8)
    assert "<strong>So.</strong>" in text(shown(share(cake)))
    Message.objects.filter(pk=cake.head_id).update(text="**So.** <i>")
    page = text(shown(share(cake)))
    assert "**So.** &lt;i&gt;" in page
    assert "shown as it was written" in page


def test_a_page_renders_no_more_than_its_share(alice, monkeypatch):
    monkeypatch.setattr(shared_page, "MAX_OF_PAGE", 15)
    rendered = renderings(monkeypatch)
    made = conversation(alice, "Cake", ("?", "six by", "?", "seven x", "?", "three"))
    assert "three" in text(shown(share(made)))
    assert rendered == ["six by", "seven x"]


def test_pages_are_remembered_while_there_is_room():
    pages = shared_page.Remembered(10)
    for name, page in (("a", "xxxx"), ("b", "xxxx"), ("a", "yyyy")):
        pages.keep((name, "en"), page)
    pages.get(("b", "en"))
    pages.keep(("c", "en"), "zz")
    assert [pages.get((name, "en")) for name in "abc"] == ["yyyy", "xxxx", "zz"]
    pages.get(("a", "en"))
    pages.keep(("d", "en"), "wwww")
    assert [pages.get((name, "en")) for name in "abcd"] == ["yyyy", None, "zz", "wwww"]
    pages.keep(("e", "en"), "x" * 11)
    assert [pages.get((name, "en")) for name in "cde"] == ["zz", "wwww", None]


def test_who_asks_for_a_page_that_is_being_rendered_waits_for_it(monkeypatch):
    pages, is_begun, may_end = shared_page.Remembered(10), Event(), Event()
    made, waiting = [], Semaphore(0)

    class Watched(Future):
        def result(self):
            waiting.release()
            return super().result()

    monkeypatch.setattr(shared_page, "Future", Watched)

    def make():
        made.append("page")
        is_begun.set()
        may_end.wait(20)
        return "page"

    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(pages.get_or_make, ("a", "en"), make)
        is_begun.wait(20)
        others = [threads.submit(pages.get_or_make, ("a", "en"), make) for _ in range(2)]
        are_waiting = [waiting.acquire(timeout=20) for _ in others]
        may_end.set()
        assert [one.result() for one in (first, *others)] == ["page"] * 3
    assert (made, are_waiting) == (["page"], [True, True])


def test_a_page_that_cannot_be_rendered_is_tried_anew():
    pages = shared_page.Remembered(10)

    def fail():
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        pages.get_or_make(("a", "en"), fail)
    assert pages.get_or_make(("a", "en"), lambda: "page") == "page"


def test_an_address_has_a_number_of_looks_a_minute(cake, settings):
    configured(settings, limits={"default_rate_limit_per_minute": 2})
    link = share(cake)
    asked = [Client().get(f"/s/{token}/") for token in (link.token, "x", link.token)]
    assert [one.status_code for one in asked] == [200, 404, 429]
    assert 1 <= int(asked[-1]["Retry-After"]) <= 61
    assert "limits." not in text(asked[-1])
    elsewhere = Client(REMOTE_ADDR="192.0.2.7")
    assert elsewhere.get(f"/s/{link.token}/").status_code == 200


def test_nobody_looks_uncounted(cake, monkeypatch):
    link = share(cake)

    def gone(request):
        raise RedisError

    monkeypatch.setattr(pages, "count_stranger", gone)
    assert shown(link).status_code == 503


# Until when


def test_nobody_guesses_a_token(cake):
    tokens = {share(cake).token for _ in range(20)}
    assert len(tokens) == 20
    assert min(map(len, tokens)) == 32


@pytest.mark.parametrize("token", ["x", "x" * 500, "%00", "é"])
def test_an_unknown_link_is_404(cake, token):
    share(cake)
    assert Client().get(f"/s/{token}/").status_code == 404


def test_a_revoked_link_is_404_and_others_stay(cake):
    first, second = share(cake), share(cake)
    assert revoke(first, timezone.now())
    assert not revoke(first, timezone.now())
    assert (shown(first).status_code, shown(second).status_code) == (404, 200)


def test_a_deleted_conversations_link_is_404_until_it_is_back(cake):
    link = share(cake)
    cake.delete_softly(timezone.now())
    assert shown(link).status_code == 404
    cake.restore()
    assert shown(link).status_code == 200
    cake.delete()
    assert shown(link).status_code == 404


def test_a_link_of_somebody_who_may_not_sign_in_any_more_is_404(cake, alice):
    link = share(cake)
    alice.is_active = False
    alice.save()
    assert shown(link).status_code == 404


# Its owner's pages


def test_a_link_is_made_listed_and_revoked_on_pages(cake, alice):
    browser = browser_of(alice)
    dialog = text(browser.get(f"/c/{cake.uid}/share/"))
    assert "What is in an attachment stays yours" in dialog
    browser.post(f"/c/{cake.uid}/share/")
    link = Share.objects.get()
    for page in (f"/c/{cake.uid}/share/", "/c/shared/"):
        assert f"http://testserver/s/{link.token}/" in text(browser.get(page))
    assert "Revoke the link to “Cake”?" in text(browser.get(f"/c/shared/{link.pk}/revoke/"))
    assert shown(link).status_code == 200
    browser.post(f"/c/shared/{link.pk}/revoke/")
    assert shown(link).status_code == 404
    assert link.token not in text(browser.get("/c/shared/"))


def test_what_has_no_message_is_not_shared(alice):
    empty = conversation(alice, "Empty")
    page = browser_of(alice).post(f"/c/{empty.uid}/share/", follow=True)
    assert "Nothing has been said yet." in text(page)
    assert not Share.objects.exists()


def test_the_audit_log_knows_without_a_word_or_an_address(cake, alice):
    browser = browser_of(alice)
    browser.post(f"/c/{cake.uid}/share/")
    link = Share.objects.get()
    browser.post(f"/c/shared/{link.pk}/revoke/")
    browser.post(f"/c/shared/{link.pk}/revoke/")
    entries = AuditEntry.objects.filter(action__regex="share").order_by("number")
    assert [(entry.action, entry.actor_name) for entry in entries] == [
        ("conversation.shared", "alice"),
        ("share.revoked", "alice"),
    ]
    for entry in entries:
        assert entry.target == f"share:{link.pk} of conversation {cake.uid}"
