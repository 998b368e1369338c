"""PDFs: their text, and what hostile ones can do (nothing)."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.attachments import pdf, pdf_child, reading
from chat.attachments.errors import AttachmentRefused
from chat.attachments.pdf import CHILD

from .pdfs import assemble, bomb, encrypted, endless_pages, make_pdf, stream

MOST = 5000
HANGS = ("/bin/sh", "-c", "exec sleep 60")
DIES = ("/bin/sh", "-c", "kill -KILL $$")
ROOT = Path(pdf_child.__file__).parents[2]
START = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r});"
    " from chat.apart import confined; from chat.attachments import pdf_child as child;"
    " confined.confine(child.MEMORY_BYTES, child.CPU_SECONDS);"
)
LETTER = make_pdf("Dear Bob,\nall is well.", "", "Yours, Ann")


def read(data, name):
    return asyncio.run(reading.read(data, name, MOST))


def read_pdf(data, **options):
    return asyncio.run(pdf.read_pdf(data, "letter.pdf", MOST, **options))


def refusal(data, **options):
    with pytest.raises(AttachmentRefused) as refused:
        read_pdf(data, **options)
    return refused.value


def test_pages_are_read_with_a_blank_line_between_them():
    letter = read(LETTER, "letter.pdf")

    assert letter.text == "Dear Bob,\nall is well.\n\nYours, Ann"
    assert letter.media_type == "application/pdf"


def test_it_is_known_by_its_content_whatever_it_is_called():
    assert read(LETTER, "letter.txt").media_type == "application/pdf"
    assert read(b"mail header\n" + LETTER, "letter.pdf").media_type == "application/pdf"


def test_words_keep_their_hyphens():
    assert read_pdf(make_pdf("a hyphen-\nated word")) == "a hyphen-\nated word"


def test_one_that_needs_a_password_is_refused():
    refused = refusal(encrypted(LETTER, "secret"))

    assert refused.code == "pdf_encrypted"
    assert refused.message == "“letter.pdf” is protected by a password. Save it without one."


def test_one_that_opens_without_a_password_is_read():
    assert "all is well" in read_pdf(encrypted(LETTER, ""))


def test_one_of_images_only_is_refused_with_what_helps():
    refused = refusal(make_pdf("", ""))

    assert refused.code == "pdf_without_text"
    assert "OCR" in refused.message


def test_too_much_text_is_refused_with_the_limit():
    refused = refusal(make_pdf(*["x" * 1001] * 5))

    assert (refused.status, refused.code) == (413, "text_too_long")
    assert "5,000" in refused.message


@pytest.mark.parametrize(
    "data",
    [
        LETTER[:9],
        LETTER[: len(LETTER) // 2],
        LETTER[:-300],
        assemble([]),
        endless_pages(),
        b"%PDF-1.7\nnothing of the kind",
    ],
    ids=["only a head", "a half", "without its end", "no pages", "endless", "no objects"],
)
def test_a_damaged_one_is_refused(data):
    assert refusal(data).code == "pdf_broken"


# What is made to harm


def test_a_page_that_unpacks_to_a_gigabyte_is_refused():
    data = bomb(1024)

    assert len(data) < 2 * 2**20
    assert refusal(data).code == "pdf_too_complex"


def test_one_that_is_packed_many_times_over_is_refused():
    filters = b"/Filter [%s] " % (b"/FlateDecode " * 40)
    assert refusal(assemble([stream(b"x", filters)])).code in ("pdf_too_complex", "pdf_broken")


@pytest.mark.parametrize("child", [HANGS, DIES])
def test_a_reader_that_hangs_or_dies_costs_that_file_only(child):
    assert refusal(LETTER, child=child, time_limit_s=0.5).code == "pdf_too_complex"


async def test_who_is_cancelled_leaves_no_reader_behind():
    here = psutil.Process()
    before = here.children()
    task = asyncio.create_task(pdf.read_pdf(LETTER, "letter.pdf", MOST, child=HANGS))
    while here.children() == before:  # noqa: ASYNC110  nobody says when it has begun
        await asyncio.sleep(0)

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert here.children() == before


def test_more_pages_than_the_limit_are_refused(monkeypatch):
    monkeypatch.setattr(pdf_child, "MAX_PAGES", 2)
    assert pdf_child.answer(LETTER, MOST) == {"fault": "too_complex"}


def in_child(code):
    """What that prints in a process with the reader's limits."""
    command = [sys.executable, "-c", f"{START} {code}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_reader_that_ends_when_it_would_look_for_its_parent_has_not_failed():
    always = "import signal; signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)"

    assert in_child(always).returncode == 0


def test_the_reader_gets_no_more_memory_than_its_share():
    assert "MemoryError" in in_child("bytearray(child.MEMORY_BYTES)").stderr


def test_the_reader_gets_no_more_time_than_its_share():
    done = in_child("import resource; print(resource.getrlimit(resource.RLIMIT_CPU))")
    assert done.stdout.strip() == str((pdf_child.CPU_SECONDS,) * 2)


def test_the_reader_can_write_no_file(tmp_path):
    in_child(f"open({str(tmp_path / 'file')!r}, 'w').write('x')")
    assert not (tmp_path / "file").read_bytes()


def test_the_reader_ends_with_the_service():
    """Its standard error is open as long as it lives, and that is what `run` waits for."""
    reader = "import signal; print('reading', flush=True); exec('while True: signal.pause()')"
    service = (
        "import subprocess, sys;"
        "reader = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdout=subprocess.PIPE,"
        " stderr=None); reader.stdout.readline()"
    )
    command = [sys.executable, "-c", service, START + reader]

    done = subprocess.run(command, stderr=subprocess.PIPE, timeout=60, check=False)

    assert done.returncode == 0


def test_the_reader_does_not_see_the_environment(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://user:password@host/name")
    shows = "import json, os; print(json.dumps({'text': ' '.join(os.environ)}))"

    names = read_pdf(b"", child=(sys.executable, "-c", shows))

    assert "PATH" in names
    assert "DATABASE_URL" not in names


def test_half_characters_do_not_get_into_the_database():
    shows = r"""print('{"text": "a\\ud800b\\u0000c"}')"""
    assert read_pdf(b"", child=(sys.executable, "-c", shows)) == "a?bc"


def test_what_pypdf_thinks_of_a_file_is_not_logged(capfd, caplog):
    broken = LETTER.replace(b"startxref\n", b"startxref\n9")  # pypdf warns, and finds its way

    assert "all is well" in read_pdf(broken)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_pypdf_is_not_loaded_by_the_service():
    code = "import sys, chat.attachments.pdf; sys.exit('pypdf' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == 0


def test_the_command_answers_in_json():
    done = subprocess.run([*CHILD, "10"], input=b"%PDF-", capture_output=True, check=True)
    assert json.loads(done.stdout) == {"fault": "broken"}


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(LETTER) - 1), st.binary(max_size=8)), max_size=6))
@pytest.mark.filterwarnings("ignore")  # in the service they are off
def test_any_damage_ends_in_text_or_a_fault(damages):
    data = bytearray(LETTER)
    for place, other in damages:
        data[place : place + len(other)] = other

    (key,) = pdf_child.answer(bytes(data), MOST)

    assert key in ("text", "fault")
