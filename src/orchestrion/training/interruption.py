"""Being told to stop in the middle of a training."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from orchestrion.training.processes import Processes


class Interruption:
    """Notes SIGTERM and SIGINT, so that the step at hand can be finished and kept first.

    A second SIGINT is not waited for. Outside the main thread, where Python delivers no signals, nothing is noted.
    """

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._signal = 0

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Takes the signals inside the block."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def told(self) -> bool:
        """Whether any process was told to stop; all processes ask together and get the same answer."""
        told = self._processes.sum([float(self._signal != 0)])[0] > 0
        if told and not self._signal:
            self._signal = signal.SIGTERM
        return told

    def leave(self) -> None:
        """Ends as the signal asks.

        Raises:
            KeyboardInterrupt: for SIGINT.
            SystemExit: for SIGTERM, with the code that shells give it.
        """
        if self._signal == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + self._signal)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == self._signal == signal.SIGINT:
            raise KeyboardInterrupt
        self._signal = number
