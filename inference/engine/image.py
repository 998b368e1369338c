"""An image of a request, and what its bytes say of it before anything is decoded.

The decoder (stb_image, in C) asks for as much memory as a file says it needs. So what the
file says is read here first, in Python, and held to bounds.

PNG: https://www.w3.org/TR/png-3/. JPEG: ITU-T T.81, annex B. GIF: GIF89a, 18.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from .errors import InvalidParameter

MAX_SIDE = 16_384  # pixels
MAX_PIXELS = 2**24  # 48 MiB once decoded
MAX_RATIO = 200  # of the sides: what is scaled down must not have a side of 0 then
MAX_SCANS = 64  # of a progressive JPEG: each goes over all of its pixels again

PNG, JPEG, GIF = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", (b"GIF87a", b"GIF89a")
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a PNG, by its colour type
# A frame's header; those between them are tables: DHT, JPG and DAC.
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
BLOCK_BYTES = 2**20
START_OF_SCAN, END = 0xDA, 0xD9


class Image(msgspec.Struct, frozen=True, array_like=True):
    """A file, where it stands and what the client calls it.

    Attributes:
        marker: stands in the messages where the image belongs. Nobody can guess it.
        data: PNG, JPEG or GIF.
        param: the request's field that errors name.
    """

    marker: str
    data: bytes
    param: str

    def refused(self, why: str) -> InvalidParameter:
        text = f"{self.param}: an image of {len(self.data)} bytes {why}"
        return InvalidParameter.restored(text, self.param, None)


class Size(NamedTuple):
    """In pixels."""

    width: int
    height: int


class _Bad(Exception):
    """What is wrong with the file."""


def measure(image: Image) -> Size:
    """What the file says of its size, if it may be decoded.

    Raises:
        InvalidParameter: it is none of the three, too large, or broken at its head.
    """
    data = image.data
    try:
        size = _size(data)
        _check(size)
        if data.startswith(PNG):
            _check_png(data, size)
        elif data.startswith(JPEG) and data.count(bytes([0xFF, START_OF_SCAN])) > MAX_SCANS:
            raise _Bad(f"has more than {MAX_SCANS} scans")
    except (_Bad, struct.error, IndexError) as error:
        why = str(error) if isinstance(error, _Bad) else "ends in its header"
        raise image.refused(why) from None
    return size


def _size(data: bytes) -> Size:
    if data.startswith(PNG):
        if data[12:16] != b"IHDR":
            raise _Bad("is a PNG that does not begin with its header")
        return Size(*struct.unpack_from(">II", data, 16))
    if data.startswith(JPEG):
        return _jpeg_size(data)
    if data.startswith(GIF):
        return Size(*struct.unpack_from("<HH", data, 6))
    raise _Bad("is neither PNG nor JPEG nor GIF")


def _check(size: Size) -> None:
    if not size.width or not size.height:
        raise _Bad(f"has {size.width} x {size.height} pixels")
    if max(size) > MAX_SIDE or size.width * size.height > MAX_PIXELS:
        raise _Bad(
            f"has {size.width} x {size.height} pixels; {MAX_PIXELS} are allowed,"
            f" and {MAX_SIDE} on a side"
        )
    if max(size) > MAX_RATIO * min(size):
        raise _Bad(
            f"has {size.width} x {size.height} pixels; one side is more than {MAX_RATIO} times"
            " as long as the other"
        )


def _jpeg_size(data: bytes) -> Size:
    """Of the first frame; as the decoder looks for it, which takes no second one."""
    place = 2
    while (place := data.find(b"\xff", place)) >= 0:
        while data[place] == 0xFF:
            place += 1
        marker, place = data[place], place + 1
        if marker in FRAMES:
            height, width = struct.unpack_from(">HH", data, place + 3)
            return Size(width, height)
        if marker in (START_OF_SCAN, END):
            break
        (length,) = struct.unpack_from(">H", data, place)
        place += max(length, 2)
    raise _Bad("is a JPEG without a frame")


def _check_png(data: bytes, size: Size) -> None:
    """Its pixels are compressed, and may be far more than its header says."""
    depth, colour = struct.unpack_from(">BB", data, 24)
    row = 1 + (size.width * CHANNELS.get(colour, 4) * min(depth, 16) + 7) // 8
    left = 2 * row * size.height + 2**16  # interlaced ones have more, and shorter, rows
    for number in _inflated(data):
        left -= number
        if left < 0:
            raise _Bad("has more pixels than its header says")


def _inflated(data: bytes) -> Iterator[int]:
    """Bytes of the pixels, a block's number at a time; none is kept."""
    inflating = zlib.decompressobj()
    try:
        for part in _png_pixels(data):
            while part and not inflating.eof:
                yield len(inflating.decompress(part, BLOCK_BYTES))
                part = inflating.unconsumed_tail
    except zlib.error:
        raise _Bad("is a PNG whose pixels are damaged") from None


def _png_pixels(data: bytes) -> Iterator[bytes]:
    place = len(PNG)
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if kind == b"CgBI":
            raise _Bad("is a PNG in Apple's own form")
        if kind == b"IDAT":
            yield data[place + 8 : place + 8 + length]
        place += 12 + length
