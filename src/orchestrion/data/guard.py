"""A process of its own for work on files that may crash, hang or eat the memory: only the file at hand is lost."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing import connection
from typing import Any

from orchestrion.errors import OptionError, OrchestrionError

Outcome = tuple[bool, str]
"""(True, the result as JSON) or (False, why there is none)."""


class Guard:
    """Calls a function in another process, which is started when it is first needed and again after it has died.

    Args:
        work: the function, pickled.
        timeout: seconds that one item may take; for ever by default.
    """

    def __init__(self, work: bytes, *, timeout: float | None = None) -> None:
        self._work = work
        self._timeout = timeout
        self._process: Any = None
        self._pipe: Any = None
        self._closed = False
        self._lock = threading.Lock()

    def __call__(self, item: Any) -> Outcome:
        """The outcome of one item; death of the process and running out of time are failures like others.

        Raises:
            OrchestrionError: the process cannot be started at all.
        """
        if self._process is None:
            self._start()
        try:
            self._pipe.send(item)
            if not self._pipe.poll(self._timeout):
                self._end(wait=0)
                return False, f"It took longer than {self._timeout:g} seconds and was stopped."
            return self._pipe.recv()
        except (EOFError, OSError):
            return False, f"It crashed the process that worked on it ({self._end()})."

    def close(self) -> None:
        """Stops the process, whatever it is doing."""
        self._closed = True
        self._end(wait=0)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads can hang
        with self._lock:
            if self._closed:
                raise OrchestrionError("The run was stopped.")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs, self._work))
            self._process.start()
            theirs.close()
        try:
            ready, reason = self._pipe.recv()
        except (EOFError, OSError):
            raise OrchestrionError(
                f"A worker process ended before its work began ({self._end()}); in a script, "
                'call this under `if __name__ == "__main__":`.'
            ) from None
        if not ready:
            self._end()
            raise OptionError(f"The work cannot be handed to another process: {reason}.")

    def _end(self, *, wait: float = 2.0) -> str:
        """Ends the process and what it started, at once if it does not end by itself; says how it ended."""
        with self._lock:
            process, self._process = self._process, None
            if process is None:
                return "it was stopped"
            process.join(wait)  # a process that has just died needs a moment to have an exit code
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except (AttributeError, ProcessLookupError, PermissionError):  # no groups here, or nobody left in it
                process.kill()
            process.join()
            self._pipe.close()
            code = process.exitcode
            process.close()
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def pickled(work: Callable[[Any], Any]) -> bytes:
    """The function as bytes.

    Raises:
        OptionError: it cannot be pickled, as a lambda or a function inside another cannot.
    """
    try:
        return pickle.dumps(work)
    except Exception as error:  # pickle raises whatever an object's own methods raise
        raise OptionError(
            f"The work {work!r} cannot be handed to another process ({error}); give a function of a module, "
            "with functools.partial for its options."
        ) from error


def _serve(pipe: Any, work: bytes) -> None:
    """The other process: items in, outcomes out, until the pipe ends."""
    if hasattr(os, "setsid"):
        os.setsid()  # so that it can be killed with all that it started
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # processes share the cores already
    with contextlib.suppress(OSError, ValueError):
        os.dup2(sys.__stderr__.fileno(), 1)  # type: ignore[union-attr]  # stdout belongs to the caller's result
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        function = pickle.loads(work)
    except Exception as error:
        pipe.send((False, f"{type(error).__name__}: {error}"))
        return
    with contextlib.suppress(EOFError, BrokenPipeError):
        pipe.send((True, ""))
        while True:
            pipe.send(_attempt(function, pipe.recv()))


def _attempt(function: Callable[[Any], Any], item: Any) -> Outcome:
    try:
        result = function(item)
    except OrchestrionError as error:
        return False, str(error)
    except Exception as error:  # one bad file must not end a run over a million; it is listed
        return False, f"{type(error).__name__}: {error}"
    try:
        return True, json.dumps(result)
    except (TypeError, ValueError) as error:
        return False, f"Its result cannot be kept as JSON ({error})."


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        if hasattr(os, "killpg"):
            os.killpg(0, signal.SIGKILL)  # with what it started
        os._exit(1)
