"""API keys: how they are made, and what is kept of them.

A key reads `sk-<8 characters>-<40 characters>`. The first part is stored and shown,
so that people can tell their keys apart and a lookup needs one indexed read. Of
the whole key only its SHA-256 is stored: the secret part holds 238 random bits, so
there is no dictionary to try, and a slow hash would only slow every request down.
"""

import hmac
import re
import secrets
import string
from hashlib import sha256
from typing import NamedTuple

ALPHABET = string.ascii_letters + string.digits
PREFIX_LENGTH = 8
SECRET_LENGTH = 40
PREFIX = re.compile(rf"[A-Za-z0-9]{{{PREFIX_LENGTH}}}")
SHAPE = re.compile(rf"sk-({PREFIX.pattern})-[A-Za-z0-9]{{{SECRET_LENGTH}}}\Z")

# Compared with when there is no such key, so that the work is the same.
NO_DIGEST = sha256(secrets.token_bytes(32)).hexdigest()


class NewKey(NamedTuple):
    """A key that has just been made: the only time that `text` is known."""

    text: str
    prefix: str
    digest: str


def make_key() -> NewKey:
    prefix, secret = _random(PREFIX_LENGTH), _random(SECRET_LENGTH)
    text = f"sk-{prefix}-{secret}"
    return NewKey(text, prefix, digest_of(text))


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def prefix_of(key: str) -> str | None:
    """The public part, or None for what cannot be a key of ours."""
    match = SHAPE.match(key)
    return match.group(1) if match else None


def shown_prefix_of(text: str) -> str | None:
    """The public part of a key as people write it: `sk-abcd1234-…`, `abcd1234`, or all of it."""
    prefix = prefix_of(text) or text.removeprefix("sk-").rstrip("…").rstrip("-")
    return prefix if PREFIX.fullmatch(prefix) else None


def digest_of(key: str) -> str:
    return sha256(key.encode(errors="replace")).hexdigest()  # a terminal may hand us half a pair


def is_same(digest: str, stored: str | None) -> bool:
    """Compare in a time that tells neither where they differ nor whether there is one."""
    is_equal = hmac.compare_digest(digest, stored or NO_DIGEST)
    return is_equal and stored is not None
