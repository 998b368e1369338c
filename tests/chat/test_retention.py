"""What of conversations is forgotten, and when."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import UsageRecord
from accounts.retention import tidy
from chat import retention
from chat.models import Attachment, Conversation, Message
from chat.retention import forget_old
from tests.accounts.site import configured
from tests.chat.talk import attached, conversation, person

NOW = datetime(2026, 5, 31, 0, 10, tzinfo=UTC)
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)


@pytest.fixture
def alice(db, settings):
    configured(settings, retention={"deleted_chat_days": 7})
    return person("alice")


def test_deleted_conversations_go_after_their_days(alice):
    for days in (6, 7, 8, 9):
        conversation(alice, str(days), ("Hi", "Hello"), deleted_at=NOW - days * DAY)
    conversation(alice, "kept", ("Hi",))
    assert forget_old(NOW)["deleted conversations"] == 2
    assert {*Conversation.objects.values_list("title", flat=True)} == {"6", "7", "kept"}
    assert Message.objects.count() == 5


def test_sessions_go_when_they_have_expired(alice):
    for number, at in enumerate((NOW - DAY, NOW, NOW + TICK)):
        conversation(alice, session_id=f"s{number}", expires_at=at)
    assert forget_old(NOW)["expired sessions"] == 2
    assert Conversation.objects.get().session_id == "s2"


def test_attachments_that_were_never_sent_go_after_a_day(alice):
    sent = conversation(alice, "", ("Read this",)).head
    attached(alice, at=NOW - DAY - TICK, name="old")
    attached(alice, at=NOW - DAY, name="new")
    attached(alice, sent, at=NOW - 500 * DAY, name="sent")
    assert forget_old(NOW)["unsent attachments"] == 1
    assert {*Attachment.objects.values_list("name", flat=True)} == {"new", "sent"}


def test_any_number_goes_and_none_is_too_long(alice, monkeypatch):
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    for _ in range(5):
        conversation(alice, "", ("?", "!") * 100, deleted_at=NOW - 8 * DAY)
    assert forget_old(NOW)["deleted conversations"] == 5
    assert not Message.objects.exists()


def test_the_ledger_keeps_what_they_cost(alice):
    usage = {"owner": "alice", "model": "m", "endpoint": "chat", "status": "stop"}
    UsageRecord.objects.create(uid=uuid.uuid4(), at=NOW, user=alice, **usage)
    conversation(alice, "", ("Hi",), deleted_at=NOW - 8 * DAY)
    counts = tidy(NOW)
    assert (counts["deleted conversations"], counts["usage records"]) == (1, 0)
    assert UsageRecord.objects.get().user == alice
