"""Files become text, or a clear refusal: never anything else."""

import asyncio
import codecs
import gzip
import zlib
from io import BytesIO
from zipfile import ZipFile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chat.attachments import plain, reading
from chat.attachments.errors import AttachmentRefused, FileEmpty, FileUnsupported, TextTooLong
from chat.attachments.names import MAX_NAME, clean_name, media_type

MOST = 1000
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0"


def read(data, name="notes.txt"):
    return asyncio.run(reading.read(data, name, MOST))


def text_of(data, name="notes.txt"):
    return read(data, name).text


def refusal(data, name="notes.txt"):
    with pytest.raises(AttachmentRefused) as refused:
        read(data, name)
    return refused.value


def text_or_sentence(data, name):
    try:
        return text_of(data, name)
    except AttachmentRefused as refused:
        return refused.message


def zipped(name="word/document.xml", text="hello"):
    target = BytesIO()
    with ZipFile(target, "w") as archive:
        archive.writestr(name, text)
    return target.getvalue()


# Encodings


@pytest.mark.parametrize(
    "data",
    [
        "Grüße, 日本 😀".encode(),
        codecs.BOM_UTF8 + "Grüße, 日本 😀".encode(),
        "Grüße, 日本 😀".encode("utf-16"),
        codecs.BOM_UTF16_BE + "Grüße, 日本 😀".encode("utf-16-be"),
        "Grüße, 日本 😀".encode("utf-32"),
    ],
)
def test_text_is_read_in_every_encoding_of_unicode(data):
    result = read(data)

    assert result.text == "Grüße, 日本 😀"
    assert result.doubt is None


def test_text_in_windows_encoding_is_read_with_a_note():
    result = read("Größe: 5 €".encode("cp1252"))

    assert result.text == "Größe: 5 €"
    assert result.doubt is plain.AS_WINDOWS_1252


def test_text_that_was_cut_in_the_middle_of_a_character_keeps_its_accents():
    result = read("Grüße an Jürgen Müller ü".encode()[:-1])

    assert result.text == "Grüße an Jürgen Müller \ufffd"
    assert result.doubt is plain.WITH_LOSSES


def test_utf16_that_is_broken_is_no_text():
    assert refusal("hello".encode("utf-16") + b"x").code == "file_unsupported"


def test_a_table_with_a_byte_order_mark_begins_with_its_first_column():
    result = read(codecs.BOM_UTF8 + b"name,age\r\nann,7\r\n", "people.CSV")

    assert result.text == "name,age\nann,7\n"
    assert result.media_type == "text/csv"


def test_nul_characters_are_left_out():
    assert text_of(b"a log line\0 and more of the log\n") == "a log line and more of the log\n"


def test_coloured_logs_are_text():
    assert text_of(b"\x1b[31merror\x1b[0m\n") == "\x1b[31merror\x1b[0m\n"


# What is refused


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (PNG, "plan.png", "an image"),
        (JPEG, "photo.txt", "an image"),
        (b"GIF89a\x01\0\x01\0\0\xff\0", "dance.gif", "an image"),
        (zipped(), "letter.docx", "an office document"),
        (zipped(), "things.zip", "an archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old.xls", "an office document"),
        (gzip.compress(b"hello", mtime=0), "log.gz", "an archive"),
        (b"\x7fELF\x02\x01\x01\0", "tool", "a program"),
        (b"GGUF\x03\0\0\0\0\0\0\0", "model.gguf", "a model"),
        (b"ID3\x03\0\0\0\0\0\xff", "song.mp3", "a recording"),
        (zlib.compress(bytes(range(256)) * 9), "blob.txt", "no text"),
        ("hello".encode("utf-16-le"), "unmarked.txt", "no text"),
    ],
)
def test_what_is_no_text_is_named_with_what_would_work(data, name, kind):
    refused = refusal(data, name)

    assert isinstance(refused, FileUnsupported)
    assert refused.status == 415
    assert refused.message.startswith(f"“{name}” is {kind}. What can be read is text,")


def test_a_text_may_begin_like_a_binary_file():
    assert text_of(b"ID3 tags are in MP3 files") == "ID3 tags are in MP3 files"
    assert text_of(b"Write %PDF-1.4 first") == "Write %PDF-1.4 first"


@pytest.mark.parametrize("data", [b"", b" \n\t", codecs.BOM_UTF8, b"\0" * 9, "\u2003".encode()])
def test_a_file_without_anything_to_read_is_refused(data):
    assert isinstance(refusal(data), FileEmpty | FileUnsupported)


def test_too_much_text_is_refused_with_the_limit():
    refused = refusal(b"x" * (MOST + 1))

    assert isinstance(refused, TextTooLong)
    assert refused.message == (
        "“notes.txt” has more than 1,000 characters of text, which is the most."
    )
    assert len(text_of(b"x" * MOST)) == MOST


def test_a_name_with_a_percent_sign_does_not_spoil_the_sentence():
    assert refusal(b"", "100%(name)s.txt").message == "“100%(name)s.txt” is empty."


@given(st.binary(max_size=300), st.sampled_from(["a.txt", "a.csv", "a", "a.png", "a.docx"]))
@example(b"\xff\xfe", "a.txt")
@example(b"\xff\xfe\x00\x00\x00\xd8\x00\x00", "a.txt")
@example(b"\xef\xbb\xbf\xff", "a.txt")
@example(b"\x81\x8d", "a.txt")
def test_any_bytes_are_text_that_a_database_takes_or_a_sentence(data, name):
    said = text_or_sentence(data, name)

    assert said.strip()
    assert "\0" not in said
    assert said.encode()


@given(st.text(alphabet=st.characters(exclude_categories=["C"]), min_size=1, max_size=100))
def test_any_text_comes_back_as_it_was(text):
    written = f"x{text}"
    assert text_of(written.encode()) == written
    assert text_of(codecs.BOM_UTF16_LE + written.encode("utf-16-le")) == written


# Names


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ann\\plan.md", "plan.md"),
        ("/srv/", "srv"),
        ("a\0b\r\nc\x1b[31m.txt", "ab c[31m.txt"),
        ("evil\u202etxt.exe", "eviltxt.exe"),
        ("half\ud800.txt", "half.txt"),
        ("  .. ", "file"),
        ("", "file"),
        ("cafe\u0301.txt", "café.txt"),
        ("<script>.md", "<script>.md"),  # escaping is for whoever shows it
    ],
)
def test_names_have_neither_paths_nor_characters_that_mislead(name, cleaned):
    assert clean_name(name) == cleaned


def test_a_long_name_keeps_its_ending():
    assert clean_name("x" * 500 + ".csv") == "x" * (MAX_NAME - 4) + ".csv"
    assert len(clean_name("x." + "y" * 500)) <= MAX_NAME


@given(st.text(max_size=300))
def test_any_name_fits_into_the_database_and_is_seen(name):
    cleaned = clean_name(name)
    assert 1 <= len(cleaned) <= MAX_NAME
    assert cleaned.isprintable()
    assert not {"/", "\\"} & {*cleaned}


def test_the_name_says_which_sort_of_text_it_is():
    assert media_type("README.MD") == "text/markdown"
    assert media_type("main.rs") == "text/plain"
    assert media_type("no_ending") == "text/plain"
