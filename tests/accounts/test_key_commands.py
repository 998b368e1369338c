"""Keys on the command line: `create_key`, `revoke_key`, `explain_key`; and `tidy`."""

import re
import uuid
from datetime import timedelta
from io import StringIO
from unittest.mock import patch

import pytest
from django.core.management import CommandError, ManagementUtility, call_command
from django.db import connections
from django.utils import timezone

from accounts.callers import BadKey, caller_of_key
from accounts.models import ApiKey, AuditEntry, Policy, UsageDay, UsageRecord
from inference.models import LanguageModel
from tests.accounts.site import configured

KEY = re.compile(r"sk-[A-Za-z0-9]{8}-[A-Za-z0-9]{40}")


@pytest.fixture(autouse=True)
def site(settings, db):
    configured(settings, limits={"default_rate_limit_per_minute": 0})


@pytest.fixture
def laptop(alice) -> tuple[ApiKey, str]:
    """A key of Alice, and its text."""
    return ApiKey.objects.issue(alice, "laptop")


def run(*arguments):
    """What a command wrote: to stdout, and to stderr."""
    stdout, stderr = StringIO(), StringIO()
    call_command(*arguments, stdout=stdout, stderr=stderr, no_color=True)
    return stdout.getvalue(), stderr.getvalue()


def exit_status(*arguments):
    """As a shell sees it."""
    with patch.object(connections, "close_all"), pytest.raises(SystemExit) as caught:
        ManagementUtility(["manage.py", *arguments]).execute()
    return caught.value.code


def refusal(*arguments):
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    return str(caught.value)


# create_key


def test_a_new_key_is_the_only_thing_on_stdout(alice):
    stdout, stderr = run("create_key", "alice", "laptop")
    assert KEY.fullmatch(stdout.removesuffix("\n"))
    assert stderr == "Key 'laptop' of alice. Keep it: it is not shown again.\n"


def test_a_new_key_opens_the_api(alice):
    text = run("create_key", "alice", "laptop")[0].strip()
    caller = caller_of_key(text, timezone.now())
    assert (caller.user, caller.key.name, caller.key.expires_at) == (alice, "laptop", None)


def test_a_new_keys_secret_is_written_nowhere_else(alice, caplog):
    stdout, stderr = run("create_key", "alice", "laptop")
    secret = stdout.strip()[12:]
    rows = [*ApiKey.objects.values(), *AuditEntry.objects.values()]
    assert AuditEntry.objects.filter(action="key.created").exists()
    assert secret not in repr((rows, stderr, caplog.text))


@pytest.mark.parametrize("days", [1, 30, 36500])
def test_a_new_key_ends_after_its_days(alice, days):
    run("create_key", "alice", "laptop", "--days", str(days))
    left = ApiKey.objects.get().expires_at - timezone.now()
    assert timedelta(days=days, minutes=-1) < left <= timedelta(days=days)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["nobody", "laptop"], "There is no user 'nobody' (manage.py createsuperuser)."),
        (["Alice", "laptop"], "There is no user 'Alice' (manage.py createsuperuser)."),
        (["alice", "laptop", "--days", "0"], "--days: 0 is not a number from 1 to 36500"),
        (["alice", "laptop", "--days", "-1"], "--days: -1 is not a number from 1 to 36500"),
        (["alice", "laptop", "--days", "99999999999"], "--days: 99999999999 is not a number from"),
        (["alice", "laptop", "--days", "soon"], "argument --days: invalid int value: 'soon'"),
        (["alice", ""], "'' is not a name of 1 to 100 printable characters."),
        (["alice", " "], "'' is not a name of 1 to 100 printable characters."),
        (["alice", "a" * 101], "aa' is not a name of 1 to 100 printable characters."),
        (["alice", "two\nlines"], r"'two\nlines' is not a name of 1 to 100 printable characters."),
        (["alice"], "the following arguments are required: name"),
    ],
)
def test_bad_input_is_explained_and_makes_no_key(alice, arguments, problem):
    assert problem in refusal("create_key", *arguments)
    assert not ApiKey.objects.exists()


def test_a_name_is_stored_without_the_spaces_around_it(alice):
    run("create_key", "alice", f" {'é' * 100} ")
    assert ApiKey.objects.get().name == "é" * 100


# revoke_key


@pytest.mark.parametrize("written", ["{text}", "sk-{prefix}", "{prefix}", "sk-{prefix}-…"])
def test_a_key_is_revoked_by_its_start_or_by_itself(laptop, alice, written):
    key, text = laptop
    phone, phones_text = ApiKey.objects.issue(alice, "phone")
    stdout, stderr = run("revoke_key", written.format(text=text, prefix=key.prefix))
    assert (stdout, stderr) == (f"Revoked {key} of alice.\n", "")
    assert [*ApiKey.objects.active()] == [phone]
    assert caller_of_key(phones_text, timezone.now()).key == phone
    with pytest.raises(BadKey, match="was revoked"):
        caller_of_key(text, timezone.now())


def test_a_revoked_key_says_since_when_it_is(laptop):
    key, _ = laptop
    key.revoke()
    assert refusal("revoke_key", key.prefix) == (
        f"The key {key} was revoked at {key.revoked_at:%Y-%m-%d %H:%M} UTC."
    )
    assert AuditEntry.objects.filter(action="key.revoked").count() == 1


UNKNOWN = ["", "sk-", "sk-abcd1234", "abcd1234", "\0", "\udcff", "a" * 1000, "sk-%", "laptop"]


@pytest.mark.parametrize("command", ["revoke_key", "explain_key"])
@pytest.mark.parametrize("text", UNKNOWN)
def test_an_unknown_key_is_named_by_its_start(laptop, command, text):
    assert refusal(command, text) == f"There is no key {text[:11]!r}."
    assert ApiKey.objects.active().exists()


@pytest.mark.parametrize("command", ["revoke_key", "explain_key"])
def test_an_unknown_keys_secret_is_not_repeated(laptop, command):
    unknown = f"sk-abcd1234-{'secret' * 6}1234"
    assert KEY.fullmatch(unknown)
    assert refusal(command, unknown) == "There is no key 'sk-abcd1234'."


# explain_key


@pytest.fixture
def qwen(db) -> LanguageModel:
    model = LanguageModel.objects.create(slug="qwen", source="file:///q", file="/q.gguf")
    model.aliases.create(name="gpt-4")
    return model


def test_rules_that_pass_are_listed(laptop, qwen):
    key, text = laptop
    Policy.objects.create(key=key, allowed_models=["qwen"], tokens_per_day=100)
    request = ["--model", "qwen", "--endpoint", "chat", "--address", "10.0.0.1"]
    stdout, stderr = run("explain_key", text, *request, "--prompt-tokens", "5")
    assert stdout.splitlines() == [
        f"passes  key {key} is active",
        "passes  no policy has expired",
        "passes  address 10.0.0.1 is allowed",
        "passes  endpoint chat is allowed",
        "passes  model qwen is allowed",
        "passes  a prompt of 5 tokens is allowed",
        f"passes  0 of 100 tokens a day are taken (rule tokens_per_day of key {key})",
    ]
    assert stderr == ""


def test_rules_that_deny_are_named_and_the_status_is_1(laptop, qwen, capsys):
    key, _ = laptop
    Policy.objects.create(key=key, allowed_models=["llama"], tokens_per_day=5)
    request = ["--model", "qwen", "--prompt-tokens", "10", "--max-tokens", "20", "--no-color"]
    assert exit_status("explain_key", key.prefix, *request) == 1
    stdout, stderr = capsys.readouterr()
    assert [line for line in stdout.splitlines() if line.startswith("DENIES")] == [
        f"DENIES  The model 'qwen' is not allowed (rule allowed_models of key {key}).",
        "DENIES  The request needs 30 tokens, more than the 5 of a day"
        f" (rule tokens_per_day of key {key}).",
    ]
    assert f"passes  key {key} is active" in stdout
    assert stderr == "CommandError: The request would be denied.\n"


def test_a_revoked_key_is_denied(laptop):
    key, text = laptop
    key.revoke()
    assert refusal("explain_key", text) == "The request would be denied."


def test_a_model_may_be_named_by_its_alias(laptop, qwen):
    Policy.objects.create(key=laptop[0], allowed_models=["qwen"])
    assert "passes  model qwen is allowed" in run("explain_key", laptop[1], "--model", "gpt-4")[0]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--model", "other"], "There is no model 'other' (manage.py list_models)."),
        (["--endpoint", "images"], "argument --endpoint: invalid choice: 'images'"),
        (["--prompt-tokens", "many"], "--prompt-tokens: 'many' is not a number"),
        (["--prompt-tokens", "-1"], "--prompt-tokens: '-1' is not a number"),
        (["--max-tokens", "-1"], "--max-tokens: '-1' is not a number"),
        (["--messages", "two"], "--messages: 'two' is not a number"),
        (["--prompt-characters", "1.5"], "--prompt-characters: '1.5' is not a number"),
        (["--body-kb", "1k"], "--body-kb: '1k' is not a number"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(laptop, arguments, problem):
    assert problem in refusal("explain_key", laptop[1], *arguments)


def test_a_model_that_is_not_enabled_is_named(laptop, qwen):
    LanguageModel.objects.update(enabled=False)
    assert refusal("explain_key", laptop[1], "--model", "gpt-4") == (
        "The model qwen is not enabled: requests for it get 404."
    )


def test_explaining_leaves_the_key_unused(laptop):
    run("explain_key", laptop[1])
    assert ApiKey.objects.get().last_used_at is None


def test_a_mistake_has_a_status_too(alice, capsys):
    assert exit_status("create_key", "nobody", "laptop") == 1
    assert exit_status("revoke_key", "abcd1234") == 1
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert stderr.count("CommandError") == 2


# tidy


def test_tidy_sums_up_and_says_what_it_has_deleted():
    for days_ago in (1, 1, 500):
        at = timezone.now() - timedelta(days=days_ago)
        UsageRecord.objects.create(uid=uuid.uuid4(), at=at, owner="a", model="m", status="stop")
    assert run("tidy")[0].splitlines() == [
        "1 usage records deleted",
        "0 prompts deleted",
        "0 quota windows deleted",
        "0 answers for Idempotency-Key deleted",
        "0 receipts deleted",
        "0 snapshots deleted",
        "0 deleted conversations deleted",
        "0 expired sessions deleted",
        "0 unsent attachments deleted",
    ]
    assert sorted(UsageDay.objects.values_list("requests", flat=True)) == [1, 2]
