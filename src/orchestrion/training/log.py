"""What a training tells while it runs: a file with every step, lines on stderr, samples, TensorBoard, W&B."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from orchestrion.errors import MissingDependencyError, OrchestrionError, OutputError
from orchestrion.media.files import REASONS
from orchestrion.training.samples import publish_sample, write_sample
from orchestrion.training.speed import Speed, memory
from orchestrion.training.stage import Sample

FILE = "log.jsonl"


@dataclass(slots=True)
class Record:
    """What one objective did in one step. Numbers on the device are fetched when many are written at once."""

    stage: str
    step: int
    objective: str
    loss: Tensor | float
    weight: float
    rate: float
    norm: Tensor | float | None = None
    parts: dict[str, float] = field(default_factory=dict)


class TrainingLog:
    """Collects records and writes them every few seconds.

    Args:
        folder: of the run; None: nothing is written (all processes but the first).
        at: length of the log file in bytes at the checkpoint that the run goes on from; the rest is cut off.
        step: global step that the run goes on from.
        seconds: between writes.
        lines: whether to print a line on stderr with each write.
        tensorboard: whether to write for TensorBoard, where it is installed.
        wandb: project of Weights & Biases; None: not used.

    Raises:
        MissingDependencyError: `wandb` is asked for and is not installed.
        OutputError: here and in all methods: the disk is full, or the folder cannot be written to.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        at: int = 0,
        step: int = 0,
        seconds: float = 10.0,
        lines: bool = True,
        tensorboard: bool = True,
        wandb: str | None = None,
    ) -> None:
        self.last: dict[str, dict[str, float]] = {}
        self._seconds, self._lines = seconds, lines
        self._pending: list[tuple[int, Record]] = []  # not in the file yet
        self._recent: list[tuple[int, Record]] = []  # in no summary yet
        self._file = self._board = self._wandb = None
        self._summarised = time.monotonic()
        self._folder = folder
        if folder is None:
            return
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / FILE
            self._file = path.open("ab")
            self._file.truncate(min(at, path.stat().st_size))
        if tensorboard and importlib.util.find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step)
        if wandb is not None:
            if importlib.util.find_spec("wandb") is None:
                raise MissingDependencyError(
                    "Logging to Weights & Biases needs the package wandb; install it or leave it out."
                )
            import wandb as client  # type: ignore[import-not-found]

            self._wandb = client.init(project=wandb, dir=str(folder), id=folder.resolve().name, resume="allow")

    @property
    def due(self) -> bool:
        """Whether it is time to write."""
        return time.monotonic() - self._summarised >= self._seconds

    def add(self, global_step: int, record: Record) -> None:
        """Takes a record; it is written later."""
        self._pending.append((global_step, record))

    def add_figures(self, global_step: int, stage: str, step: int, figures: Mapping[str, float]) -> None:
        """Takes figures of a validation and writes all there is."""
        self.write()
        figures = {name: float(value) for name, value in figures.items()}
        self.last.setdefault(stage, {}).update({f"validation {name}": value for name, value in figures.items()})
        self._line({"stage": stage, "step": step, "validation": figures})
        self._publish(global_step, {f"{stage}/validation/{name}": value for name, value in figures.items()})
        told = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self.tell(f"{stage} step {step}: validation {told}")

    def add_samples(self, global_step: int, stage: str, step: int, samples: Mapping[str, Sample]) -> None:
        """Writes things to hear and see as files samples/<stage>/<step>/<name>, and for TensorBoard."""
        if self._folder is None:
            return
        place = self._folder / "samples" / stage / f"{step:010d}"
        with _writing(place):
            place.mkdir(parents=True, exist_ok=True)
            for name, sample in samples.items():
                path = write_sample(sample, place, name)
                if self._board is not None:
                    publish_sample(self._board, f"{stage}/{name}", path, global_step)
        self.tell(f"{stage} step {step}: samples in {place}")

    def tell(self, text: str) -> None:
        """A line on stderr, where lines are printed."""
        if self._lines and self._folder is not None:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def write(self) -> None:
        """Writes what was collected, and sums it up on stderr and in the curves.

        Raises:
            OrchestrionError: a loss is not a number.
        """
        self._write_file()
        recent, self._recent = self._recent, []
        now = time.monotonic()
        seconds, self._summarised = now - self._summarised, now
        if recent and self._file is not None:
            self._summarise(recent, seconds)

    def position(self) -> int:
        """Length of the file in bytes, with all that was collected in it."""
        self._write_file()
        return self._file.tell() if self._file is not None else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes what is open."""
        for held in (self._file, self._board):
            if held is not None and self._folder is not None:
                with _writing(self._folder):
                    held.close()
        if self._wandb is not None:
            self._wandb.finish()

    def _write_file(self) -> None:
        """Brings the file up to date.

        Raises:
            OrchestrionError: a loss is not a number.
        """
        pending, self._pending = self._pending, []
        _fetch([record for _, record in pending])
        for _, record in pending:
            if not math.isfinite(record.loss):
                raise OrchestrionError(
                    f"The loss {record.objective!r} became {record.loss} at step {record.step} of stage "
                    f"{record.stage!r}; lower its learning rate and start again from the last checkpoint."
                )
            figures = {
                "loss": record.loss,
                "weight": record.weight,
                "rate": record.rate,
                "norm": record.norm,
                **record.parts,
            }
            place = {"stage": record.stage, "step": record.step, "objective": record.objective}
            self._line(place | {name: value for name, value in figures.items() if value is not None})
            last = self.last.setdefault(record.stage, {})
            last[record.objective] = float(record.loss)
            last |= {f"{record.objective} {name}": value for name, value in record.parts.items()}
        if self._file is not None and self._folder is not None:
            self._recent += pending
            with _writing(self._folder):
                self._file.flush()

    def _line(self, entry: dict[str, Any]) -> None:
        if self._file is not None and self._folder is not None:
            with _writing(self._folder):
                self._file.write(json.dumps(entry).encode() + b"\n")

    def _summarise(self, pending: list[tuple[int, Record]], seconds: float) -> None:
        """One line on stderr, and one point in the curves, for all records since the last time."""
        groups: dict[tuple[str, str], list[Record]] = {}
        for _, record in pending:
            groups.setdefault((record.stage, record.objective), []).append(record)
        global_step, last = pending[-1]
        curves: dict[str, float] = {}
        for (stage, objective), records in groups.items():
            name = f"{stage}/{objective}"
            curves[name] = sum(float(record.loss) for record in records) / len(records)
            curves[f"{name}/rate"] = records[-1].rate
            curves |= {f"{name}/{part}": value for part, value in records[-1].parts.items()}
            if records[-1].norm is not None:
                curves[f"{name}/norm"] = float(records[-1].norm)
        told = ", ".join(f"{objective} {curves[f'{stage}/{objective}']:.4f}" for stage, objective in groups)
        steps = len({(record.stage, record.step) for _, record in pending})
        items = sum(record.weight for _, record in pending if record.objective == last.objective)
        seconds = max(seconds, 1e-9)
        speed = Speed(steps / seconds, items / seconds, memory())
        curves |= {"speed/steps": speed.steps, "speed/items": speed.items, "speed/memory": speed.memory}
        self._publish(global_step, curves)
        self.tell(f"{last.stage} step {last.step}: {told}, {speed}")

    def _publish(self, global_step: int, curves: Mapping[str, float]) -> None:
        if self._board is not None and self._folder is not None:
            with _writing(self._folder):
                for name, value in curves.items():
                    self._board.add_scalar(name, value, global_step)
        if self._wandb is not None:
            self._wandb.log(dict(curves), step=global_step)


def _fetch(records: list[Record]) -> None:
    """Brings the numbers of many records from the device at once."""
    for name in ("loss", "norm"):
        held = [record for record in records if isinstance(getattr(record, name), Tensor)]
        if held:
            values = torch.stack([getattr(record, name).double() for record in held]).tolist()
            for record, value in zip(held, values, strict=True):
                setattr(record, name, value)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Errors of the system that the user can mend become one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno not in REASONS:
            raise
        raise OutputError(f"The log of the run in {folder} cannot be written: {REASONS[error.errno]}.") from error
