"""The key that signs cookies: made once, kept in the data directory."""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from django.core.management.utils import get_random_secret_key


def secret_key(data_dir: Path) -> str:
    """Read `data_dir/secret_key`; make it first if it is not there.

    Processes and threads that start together agree: the first to link its file wins.
    """
    path = data_dir / "secret_key"
    if not path.exists():
        with NamedTemporaryFile("w", dir=data_dir, prefix=".secret_key.") as draft:  # mode 0600
            draft.write(get_random_secret_key())
            draft.flush()
            with suppress(FileExistsError):
                os.link(draft.name, path)
    return path.read_text()
