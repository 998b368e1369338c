"""PDFs by hand, so that each can be wrong in its own way."""

import zlib
from io import BytesIO

from pypdf import PdfReader, PdfWriter

MIB = 2**20


def make_pdf(*pages: str) -> bytes:
    """One page for each text; an empty text makes a page without any."""
    return assemble([stream(_shows(page)) for page in pages])


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d %s>>\nstream\n%s\nendstream" % (len(data), entries, data)


def assemble(contents: list[bytes]) -> bytes:
    """A document of pages with these contents, with a table of where each object is."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * i) for i in range(len(contents)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(contents)),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for i, content in enumerate(contents):
        resources = b"/Resources << /Font << /F1 3 0 R >> >> /MediaBox [0 0 600 800]"
        page = b"<< /Type /Page /Parent 2 0 R %s /Contents %d 0 R >>" % (resources, 5 + 2 * i)
        objects += [page, content]
    return _written(objects)


def _shows(text: str) -> bytes:
    lines = b" T* ".join(b"(%s) Tj" % line.encode("latin-1") for line in text.split("\n"))
    return b"BT /F1 12 Tf 14 TL 50 750 Td %s ET" % lines if text else b""


def _written(objects: list[bytes]) -> bytes:
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    rows = b"".join(b"%010d 00000 n \n" % place for place in places)
    table = b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, rows)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\n" % (len(objects) + 1)
    return data + table + trailer + b"startxref\n%d\n%%%%EOF\n" % len(data)


def encrypted(pdf: bytes, password: str) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(BytesIO(pdf)))
    writer.encrypt(user_password=password, owner_password="owner", algorithm="AES-256")
    target = BytesIO()
    writer.write(target)
    return target.getvalue()


def bomb(num_mib: int) -> bytes:
    """A page whose content is that many MiB of zeros, in a thousandth of the space.

    A block that ends in a full flush can be repeated, so nobody has to compress all that.
    """
    flate = zlib.compressobj(9)
    head = flate.compress(b"") + flate.flush(zlib.Z_FULL_FLUSH)
    block = flate.compress(bytes(MIB)) + flate.flush(zlib.Z_FULL_FLUSH)
    end = b"\x03\x00" + adler32_of_zeros(num_mib * MIB).to_bytes(4, "big")
    return assemble([stream(head + block * num_mib + end, b"/Filter /FlateDecode ")])


def adler32_of_zeros(num: int) -> int:
    return (num % 65521) << 16 | 1


def endless_pages() -> bytes:
    """A tree of pages that is its own branch."""
    return make_pdf("x").replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]")
