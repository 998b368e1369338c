"""How a server is to be run: the same for all that are compared."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODEL_ID = "bench"


@dataclass(frozen=True, slots=True)
class Setup:
    """
    Attributes:
        model: the GGUF.
        slots: answers that are computed at once.
        context: tokens that one request may have.
        cells: tokens of the whole KV cache.
        repack: whether weights may be repacked: not where that means AMX that does not run.
        folder: where the server may keep what it needs; the same one after a restart.
        has_accounts: whether owners are told apart.
        flags: what the command line gave for this server.
    """

    model: Path
    slots: int
    context: int
    cells: int
    threads: int
    device: str
    repack: bool
    folder: Path
    has_accounts: bool = False
    flags: str = ""
