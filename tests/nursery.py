"""Engines' processes for tests of what is above them: forked from one that has read its modules.

Python reads modules for longer than most of these tests take, and 1,600 of them have an engine of
their own. How one is really started is what tests/engine and tests/live try.
"""

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from typing import NoReturn

from inference.engine import child
from inference.engine.environment import without_secrets
from inference.engine.host import ROOT

NUMBER_BYTES = 4


class Engine:
    """What asyncio says of a process, of one that is another's child.

    `status` is a pipe's end: it brings the exit status.
    """

    def __init__(self, pid: int, status: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._status = status
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._loop.add_reader(status, self._end)

    def _end(self) -> None:
        self._loop.remove_reader(self._status)
        self.returncode = int(os.read(self._status, 16))
        os.close(self._status)
        self._ended.set_result(None)

    async def wait(self) -> int | None:
        await asyncio.shield(self._ended)
        return self.returncode

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


class Nursery:
    """Its process is started by the first test that needs an engine."""

    def __init__(self) -> None:
        self._orders: socket.socket | None = None

    async def start_process(self, theirs: socket.socket) -> Engine:
        """In the place of the host's own."""
        if self._orders is None:
            self._open()
        assert self._orders is not None
        status, theirs_of_status = os.pipe()
        socket.send_fds(self._orders, [b"!"], [theirs.fileno(), theirs_of_status])
        os.close(theirs_of_status)
        number = self._orders.recv(NUMBER_BYTES, socket.MSG_WAITALL)
        assert number, "the nursery is gone"
        return Engine(int.from_bytes(number, "big"), status)

    def _open(self) -> None:
        self._orders, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.nursery", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                env=without_secrets(os.environ),
            )

    def close(self) -> None:
        if self._orders is not None:
            self._orders.close()
            self._process.wait()


# In its process


def _serve(orders: socket.socket) -> None:
    """Until nobody orders any more. Whoever is ordered is not waited for here."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()  # forks share what nobody touches
    while True:
        order, fds, _, _ = socket.recv_fds(orders, 1, 2)
        if not order:
            return
        if os.fork() == 0:
            _watch(orders, *fds)
        for fd in fds:
            os.close(fd)


def _watch(orders: socket.socket, engine: int, status: int) -> NoReturn:
    """Start one, say its number, and in the end how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if (pid := os.fork()) == 0:
        orders.close()
        os.close(status)
        _run(engine)
    os.close(engine)
    orders.send(pid.to_bytes(NUMBER_BYTES, "big"))
    orders.close()
    _, code = os.waitpid(pid, 0)
    os.write(status, str(os.waitstatus_to_exitcode(code)).encode())
    os._exit(0)


def _run(engine: int) -> NoReturn:
    try:
        child.main(engine)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


def _read_modules() -> None:
    """Those that an engine imports when it knows what it is."""
    from inference.engine import fake, fake_embed  # noqa: F401


if __name__ == "__main__":
    _read_modules()
    _serve(socket.socket(fileno=int(sys.argv[1])))
