import struct
import zlib

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from inference.engine.errors import InvalidParameter
from inference.engine.image import MAX_PIXELS, MAX_RATIO, MAX_SCANS, MAX_SIDE, PNG, Image, measure
from tests.tiny_projector import make_png

PARAM = "messages[0].content[1].image_url"
SOI, EOI = b"\xff\xd8", b"\xff\xd9"


def size(data):
    return measure(Image("<marker>", data, PARAM))


def why(data):
    with pytest.raises(InvalidParameter) as caught:
        size(data)
    assert caught.value.param == PARAM
    assert f"an image of {len(data)} bytes" in caught.value.message
    return caught.value.message


def chunk(kind, data=b""):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, pixels=b"", depth=8, colour=2):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return PNG + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND")


def segment(marker, data=b""):
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def frame(width, height, marker=0xC0):
    return segment(marker, struct.pack(">BHHB", 8, height, width, 3) + b"\x01\x11\x00" * 3)


def jpeg(*segments):
    return SOI + b"".join(segments) + EOI


def gif(width, height):
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x00\x00\x00;"


sides = st.integers(1, 4096)


@given(width=sides, height=sides)
@example(1, 200)
@example(200, 1)
def test_the_size_is_what_the_file_says(width, height):
    assume(max(width, height) <= MAX_RATIO * min(width, height))
    padding = segment(0xE1, b"\xff\xc0 a thumbnail") + b"\xff\xff"
    assert size(png(width, height)) == (width, height)
    assert size(gif(width, height)) == (width, height)
    assert size(jpeg(padding + frame(width, height))) == (width, height)
    assert size(jpeg(segment(0xC4), frame(width, height, 0xC2))) == (width, height)


def test_a_real_picture_passes():
    assert size(make_png(33, 7)) == (33, 7)


@pytest.mark.parametrize(
    ("width", "height"),
    [(MAX_SIDE + 1, 1), (1, MAX_SIDE + 1), (4097, 4096), (0, 1), (1, 0), (2**31, 2**31)],
)
def test_what_would_take_too_much_memory_is_refused_before_it_is_decoded(width, height):
    assert f"has {width} x {height} pixels" in why(png(width, height))
    if max(width, height) < 2**16:
        assert f"has {width} x {height} pixels" in why(gif(width, height))
        assert f"has {width} x {height} pixels" in why(jpeg(frame(width, height)))


@pytest.mark.parametrize(("width", "height"), [(1, 201), (2010, 10)])
def test_what_is_nearly_a_line_is_refused(width, height):
    assert "more than 200 times as long as the other" in why(gif(width, height))


def test_the_largest_passes():
    assert size(gif(4096, 4096)) == (4096, 4096)
    assert MAX_PIXELS == 4096 * 4096


def test_a_small_png_with_many_pixels_is_refused():
    assert "has more pixels than its header says" in why(png(8, 8, bytes(2**24)))


def test_an_interlaced_png_may_have_more_rows():
    assert size(png(1, 100, bytes(2 * 4 * 100))) == (1, 100)


def test_a_jpeg_with_very_many_scans_is_refused():
    scans = [segment(0xDA, b"\x01\x01\x00\x00\x3f\x00")] * (MAX_SCANS + 1)
    assert f"more than {MAX_SCANS} scans" in why(jpeg(frame(8, 8), *scans))
    assert size(jpeg(frame(8, 8), *scans[1:])) == (8, 8)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is neither PNG nor JPEG nor GIF"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "is neither PNG nor JPEG nor GIF"),
        (b"BM" + bytes(60), "is neither PNG nor JPEG nor GIF"),
        (PNG + chunk(b"CgBI") + chunk(b"IHDR", bytes(13)), "does not begin with its header"),
        (PNG + b"\0\0\0\rIHDR\0\0", "ends in its header"),
        (png(4, 4).replace(b"IEND", b"CgBI"), "in Apple's own form"),
        (png(4, 4)[:33] + chunk(b"IDAT", b"nothing"), "whose pixels are damaged"),
        (SOI + b"\xff", "ends in its header"),
        (jpeg(segment(0xE0)), "a JPEG without a frame"),
        (jpeg(segment(0xE0), segment(0xDA), frame(1, 1)), "a JPEG without a frame"),
        (SOI + b"\xff\xe0\xff\xff", "a JPEG without a frame"),
        (b"GIF89a\0", "ends in its header"),
    ],
)
def test_what_is_no_image_is_refused_with_the_reason(data, reason):
    assert reason in why(data)


@given(
    head=st.sampled_from([PNG, SOI + b"\xff", b"GIF89a", png(4, 4), jpeg(frame(4, 4)), b""]),
    cut=st.integers(0, 60),
    rest=st.binary(max_size=200),
)
def test_any_bytes_have_a_size_within_bounds_or_are_refused(head, cut, rest):
    try:
        width, height = size(head[: len(head) - cut] + rest)
    except InvalidParameter:
        return
    assert 0 < width * height <= MAX_PIXELS
