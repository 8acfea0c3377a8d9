"""Runs native parsers in a process of their own, so that a file which crashes them costs a sentence, not the program.

One such process is started when it is first needed and kept; a file that crashes or stalls it takes it along, and the
next one gets a new process.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

SECONDS = 120.0  # a sheet of 60,000 notes takes a tenth of it on an idle core


class ParserFailed(Exception):
    """Why a parser gave no result, as the end of a sentence."""


class Worker:
    """A process that answers requests one by one. It belongs to the process that started it."""

    def __init__(self) -> None:
        requests, self.requests = Pipe(duplex=False)
        self.replies, replies = Pipe(duplex=False)
        self.owner = os.getpid()
        root = str(Path(__file__).parents[2])
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "orchestrion.media.worker", str(requests.fileno()), str(replies.fileno())],
            pass_fds=(requests.fileno(), replies.fileno()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])},
        )
        requests.close()
        replies.close()

    def ask(self, task: str, text: str, *, seconds: float) -> dict[str, Any]:
        """The reply to one request.

        Raises:
            ParserFailed: the parser refused, crashed, or took longer than `seconds`.
        """
        try:
            self.requests.send_bytes(json.dumps({"task": task, "text": text}).encode())
            if not self.replies.poll(seconds):
                self.close(kill=True)
                raise ParserFailed(f"reading it takes longer than {seconds:.0f} seconds")
            reply = json.loads(self.replies.recv_bytes())
        except (EOFError, OSError) as error:
            self.close(kill=True)
            raise ParserFailed("it is so damaged that the parser gave up") from error
        if "error" in reply:
            raise ParserFailed(reply["error"])
        return reply

    @property
    def usable(self) -> bool:
        """Whether the process lives and is ours, not one that a fork has left us a copy of."""
        return self.owner == os.getpid() and not self.requests.closed and self.process.poll() is None

    def close(self, *, kill: bool = False) -> None:
        """Ends the process."""
        self.requests.close()
        self.replies.close()
        if self.owner != os.getpid():
            return
        if kill:
            self.process.kill()
        self.process.wait()


_lock = threading.Lock()
_worker: Worker | None = None


def ask(task: str, text: str, *, isolate: bool = True, seconds: float = SECONDS) -> dict[str, Any]:
    """Has a parser of `worker.TASKS` read a text.

    Args:
        isolate: False runs it in this process, for files that are trusted; then there is no limit of time and memory.

    Raises:
        ParserFailed: it cannot be read.
    """
    global _worker
    if not isolate:
        from orchestrion.media.worker import TASKS

        try:
            return TASKS[task](text)
        except (ValueError, subprocess.TimeoutExpired) as error:
            raise ParserFailed(str(error)) from error
    with _lock:
        if _worker is None or not _worker.usable:
            _worker = Worker()
        return _worker.ask(task, text, seconds=seconds)


@atexit.register
def close() -> None:
    """Ends the process, if there is one."""
    global _worker
    if _worker is not None and _worker.usable:
        _worker.close()
    _worker = None


def _forget_after_fork() -> None:
    global _lock
    _lock = threading.Lock()  # it may have been held by a thread that does not exist here


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
