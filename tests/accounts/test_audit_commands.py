"""`manage.py verify_audit` and `manage.py export_audit`."""

import json
import stat
from datetime import UTC, datetime
from hashlib import sha256
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts import audit
from accounts.models import AuditEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def three(monkeypatch):
    """A chain of three entries, made on three days."""
    days = iter([datetime(2025, 1, day, 12, tzinfo=UTC) for day in (30, 31)])
    monkeypatch.setattr("django.utils.timezone.now", lambda: next(days, datetime.now(UTC)))
    made = [audit.record("key.created", f"key:{number}", after={"n": "é"}) for number in range(3)]
    monkeypatch.undo()
    return made


def output_of(*command):
    output = StringIO()
    call_command(*command, stdout=output)
    return output.getvalue()


def exported(*options):
    return [json.loads(line) for line in output_of("export_audit", *options).splitlines()]


def test_an_intact_chain_is_counted_and_its_end_named(three):
    assert output_of("verify_audit") == f"3 entries, chain intact, hash {three[2].hash}\n"


def test_an_empty_log_is_intact():
    assert output_of("verify_audit") == "0 entries, chain intact\n"


def test_the_first_altered_row_is_named(three):
    AuditEntry.objects.filter(number=2).update(target="key:9")

    with pytest.raises(CommandError) as caught:
        call_command("verify_audit")

    assert str(caught.value) == (
        "entry 2 (key.created, 2025-01-31T12:00:00.000000+00:00) has been altered."
    )
    assert caught.value.returncode == 1


def test_an_export_has_every_entry_and_its_own(three):
    lines = exported()

    assert [line["number"] for line in lines] == [1, 2, 3, 4]
    assert [line["hash"] for line in lines[:3]] == [entry.hash for entry in three]
    assert (lines[3]["action"], lines[3]["after"]) == (
        "audit.exported",
        {"since": None, "output": None},
    )
    assert audit.verify() is None


def test_who_has_an_export_can_check_it_without_this_program(three):
    previous = "0" * 64
    for line in exported():
        found = line.pop("hash")
        canonical = json.dumps(line, sort_keys=True, separators=(",", ":"))
        assert line["previous_hash"] == previous
        assert sha256(canonical.encode()).hexdigest() == found
        previous = found


@pytest.mark.parametrize(
    ("since", "numbers"),
    [
        ("2025-01-30", [1, 2, 3, 4]),
        ("2025-01-31", [2, 3, 4]),
        ("2025-01-31T13:00+01:00", [2, 3, 4]),
        ("2025-01-31T13:01+01:00", [3, 4]),
        ("9999-01-01", []),
    ],
)
def test_an_export_since_a_time_begins_there(three, since, numbers):
    assert [line["number"] for line in exported("--since", since)] == numbers
    assert AuditEntry.objects.get(number=4).after["since"].startswith(since[:10])


def test_a_date_that_is_none_is_refused_with_its_value():
    with pytest.raises(CommandError, match="'yesterday' is not a date"):
        call_command("export_audit", "--since", "yesterday")

    assert not AuditEntry.objects.exists()


def test_an_export_to_a_file_is_for_its_owner_only(three, tmp_path):
    path = tmp_path / "audit.jsonl"

    assert output_of("export_audit", "--output", str(path)) == ""
    assert len(path.read_text().splitlines()) == 4
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert AuditEntry.objects.get(number=4).after["output"] == str(path)


def test_a_file_that_exists_is_left_alone(three, tmp_path):
    path = tmp_path / "audit.jsonl"
    path.write_text("precious")

    with pytest.raises(CommandError, match=r"audit\.jsonl exists"):
        call_command("export_audit", "--output", str(path))

    assert path.read_text() == "precious"
    assert AuditEntry.objects.count() == 3


def test_a_folder_that_is_not_there_is_named(three, tmp_path):
    with pytest.raises(CommandError, match=r"nowhere/audit\.jsonl cannot be written: No such file"):
        call_command("export_audit", "--output", str(tmp_path / "nowhere/audit.jsonl"))
