"""Runs the stages of a training, and goes on where a killed one was."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import nn

from orchestrion.errors import OptionError
from orchestrion.training.checkpoint import Checkpoint, newest_checkpoint, remove_unfinished, write_checkpoint
from orchestrion.training.interruption import Interruption
from orchestrion.training.log import TrainingLog
from orchestrion.training.plan import check_stages, describe, require_same
from orchestrion.training.processes import Processes
from orchestrion.training.sharding import is_sharded, load_whole, whole_state
from orchestrion.training.speed import Speed, memory
from orchestrion.training.stage import Stage
from orchestrion.training.stage_run import StageRun, kept_randomness

Progress = Callable[[int, int], None]
PROGRESS_SECONDS = 0.1  # between calls of `progress`: a bar need not be drawn more often


class Trainer:
    """Trains `model` through `stages`.

    All randomness of a step depends on the seed, the stage and the step alone, so that a run that was killed and
    started again by the same call has the losses, to the last digit, of one that was not (on a GPU as far as its
    kernels are deterministic). Under `accelerate launch` every process takes its shares of each
    batch; the losses are those of one process with the same shares.

    Args:
        model: what is trained; its weights are changed in place.
        stages: run one after the other.
        folder: of checkpoints and logs. A run that is in it already is gone on with.
        seed: of everything random.
        max_steps: at most so many steps of each stage.
        resume: True: there must be a run in the folder to go on with; False: there must be none; None: either.
        about: plain values that belong to the run, such as the hash of its data; with others it is not gone on with.
        accumulate: shares that each process splits its part of a batch into, one at a time in memory.
        compile: whether to compile what the stages name for it, or the children of the model. The first steps take a
            minute or so then, and a run that is gone on with may differ in the last digits.
        checkpoint_seconds: between checkpoints; there is one at the end of each stage as well.
        log_seconds: between writes of the log.
        tensorboard: whether to write for TensorBoard, where it is installed.
        wandb: project of Weights & Biases; None: not used.
        progress: called with steps done and steps in all. Without, and where stderr is no terminal, a line of text is
            printed on stderr with each write of the log.

    Attributes:
        resumed: steps that were done already when the run was gone on with.
        speed: for each stage that ran its steps a second, items a second (what the last objective counted) and the
            largest memory so far in GB.

    Raises:
        OptionError: an argument is out of range, or the stages cannot be run; see `check_stages`.
    """

    def __init__(
        self,
        model: nn.Module,
        stages: Sequence[Stage],
        *,
        folder: str | Path,
        seed: int = 0,
        max_steps: int | None = None,
        resume: bool | None = None,
        about: Mapping[str, Any] = MappingProxyType({}),
        accumulate: int = 1,
        compile: bool = False,
        checkpoint_seconds: float = 300.0,
        log_seconds: float = 10.0,
        tensorboard: bool = True,
        wandb: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        for name, value in (("accumulate", accumulate), ("max_steps", max_steps)):
            if value is not None and value < 1:
                raise OptionError(f"{name} is {value}; it must be at least 1.")
        check_stages(model, stages)
        self.model, self.stages, self.folder, self.seed = model, list(stages), Path(folder), seed
        self.steps = [stage.steps if max_steps is None else min(stage.steps, max_steps) for stage in stages]
        self.accumulate, self.compile = accumulate, compile
        self.resume, self.about = resume, about
        self.resumed = 0
        self.speed: dict[str, Speed] = {}
        self.checkpoint_seconds, self.log_seconds = checkpoint_seconds, log_seconds
        self._tensorboard, self._wandb, self._progress = tensorboard, wandb, progress
        self._processes = Processes()
        self._told = self._saved = time.monotonic()

    def run(self) -> dict[str, dict[str, float]]:
        """Trains to the end; the model is in evaluation mode then.

        Returns:
            For each stage its last figures: the loss of each objective under its name, others as "<objective>
            <figure>", and "validation <figure>".

        Raises:
            OptionError: the run in the folder was begun with other arguments, or `resume` forbids what would be done.
            WeightsError: its last checkpoint is damaged.
            OutputError: a checkpoint cannot be written.
            OrchestrionError: a loss is not a number, or counts nothing.
            KeyboardInterrupt, SystemExit: the process was told to stop; a checkpoint was written before.
        """
        self._interruption = Interruption(self._processes)
        start = self._begin()
        with ExitStack() as stack:
            self._log = stack.enter_context(self._open_log(start))
            stack.enter_context(self._interruption.noted())
            stack.enter_context(kept_randomness(self.model))
            self._saved = time.monotonic()
            for number in range(start.stage, len(self.stages)):
                self._run_stage(number, start if number == start.stage and start.step else None)
        self.model.eval()
        return self._log.last

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self._processes.first

    def _begin(self) -> Checkpoint:
        """Puts weights where they were, the same in all processes; gives the place to go on from."""
        modules = [self.model, *(module for _, module in self._helpers())]
        self._sharded = is_sharded(modules)
        for module in modules:
            module.to(self._processes.device)
        parts = self._processes.count * self.accumulate
        self._plan = describe(self.model, self.stages, self.steps, seed=self.seed, parts=parts, about=self.about)
        start = newest_checkpoint(self._checkpoints)
        self._check_resumption(start is not None)
        if start is not None:
            require_same(self.folder, start.state["plan"], self._plan)
            load_whole(self.model, start.under("model."))
            for name, module in self._helpers():
                load_whole(module, start.under(name))
        start = start or Checkpoint(0, 0, {}, {})
        self.resumed = self._global(start.stage, start.step)
        place = [float(start.stage), float(start.step)]
        if self._processes.sum(place) != [value * self._processes.count for value in place]:
            raise OptionError(
                f"The processes do not see the same checkpoints in {self.folder}; give a folder that they share."
            )
        self._processes.share_state(modules)
        if self._processes.first:
            remove_unfinished(self._checkpoints)
        return start

    def _check_resumption(self, begun: bool) -> None:
        if self.resume is False and begun:
            raise OptionError(f"There is a run in {self.folder} already; go on with it or give another folder.")
        if self.resume and not begun:
            raise OptionError(f"There is no run with a checkpoint in {self.folder} to go on with; give its folder.")

    def _open_log(self, start: Checkpoint) -> TrainingLog:
        log = TrainingLog(
            self.folder if self._processes.first else None,
            at=start.state.get("log", 0),
            step=self._global(start.stage, start.step),
            seconds=self.log_seconds,
            lines=self._progress is None or not sys.stderr.isatty(),
            tensorboard=self._tensorboard,
            wandb=self._wandb,
        )
        log.last |= start.state.get("figures", {})
        if self.resumed:
            log.tell(f"goes on after {self.resumed} steps, in stage {min(start.stage + 1, len(self.stages))}")
        return log

    def _run_stage(self, number: int, start: Checkpoint | None) -> None:
        stage, steps = self.stages[number], self.steps[number]
        run = StageRun(
            self.model, stage, seed=(self.seed, number), accumulate=self.accumulate, processes=self._processes
        )
        if start is not None:
            run.restore(start)
        first, done = time.monotonic(), 0
        items = 0.0
        with run.learning(compile=self.compile):
            if start is None:
                run.start()
            for step in range(start.step if start is not None else 0, steps):
                for record in run.step(step):
                    self._log.add(self._global(number, step), record)
                    items += record.weight if record.objective == stage.objectives[-1].name else 0.0
                done += 1
                if self._log.due:
                    self._log.write()
                if step + 1 < steps:
                    self._between(run, number, step + 1)
            run.finish()
            self._look(run, number, steps)
        self._save(number + 1, 0, None)
        seconds = max(time.monotonic() - first, 1e-9)
        self.speed[stage.name] = Speed(done / seconds, items / seconds, memory())
        self._log.tell(f"{stage.name}: {done} steps in {seconds:.1f} s, {self.speed[stage.name]}")
        self._tell(number, steps, now=True)
        if self._interruption.told():
            self._interruption.leave()

    def _between(self, run: StageRun, number: int, step: int) -> None:
        """What there is to do between steps: validation, samples and a checkpoint if it is time, and stopping."""
        self._look(run, number, step)
        self._tell(number, step)
        told = self._interruption.told()
        late = time.monotonic() - self._saved >= self.checkpoint_seconds
        if self._sharded:  # all processes put together what is kept
            late = self._processes.sum([float(late)])[0] > 0
        if told or late:
            self._save(number, step, run)
        if told:
            self._interruption.leave()

    def _look(self, run: StageRun, number: int, step: int) -> None:
        """Validation and samples, if it is time for them or the stage ends."""
        stage, last = run.stage, step == self.steps[number]
        if (last or step % stage.validate_every == 0) and (figures := run.validate()):
            self._log.add_figures(self._global(number, step), stage.name, step, figures)
        if (last or step % stage.samples_every == 0) and (samples := run.samples()):
            self._log.add_samples(self._global(number, step), stage.name, step, samples)

    def _tell(self, number: int, step: int, *, now: bool = False) -> None:
        time_now = time.monotonic()
        if self._progress is not None and (now or time_now - self._told >= PROGRESS_SECONDS):
            self._told = time_now
            self._progress(self._global(number, step), sum(self.steps))

    def _save(self, number: int, step: int, run: StageRun | None) -> None:
        """Writes a checkpoint; `run`: of a stage that is not at its end. What is split is put together by all."""
        if self._processes.first or self._sharded:
            tensors = {f"model.{name}": value for name, value in whole_state(self.model).items()}
            for name, module in self._helpers():
                tensors |= {name + key: value for key, value in whole_state(module).items()}
            state: dict[str, Any] = {"plan": self._plan, "log": self._log.position(), "figures": self._log.last}
            if run is not None:
                held, state["stage"] = run.held()
                tensors |= held
            if self._processes.first:
                write_checkpoint(self._checkpoints, Checkpoint(number, step, tensors, state))
        self._saved = time.monotonic()

    def _helpers(self) -> list[tuple[str, nn.Module]]:
        """The helpers of all stages, with the beginning of their names in checkpoints."""
        return [
            (f"helper.{number}.{name}.", module)
            for number, stage in enumerate(self.stages)
            for name, module in stage.helpers.items()
        ]

    def _global(self, stage: int, step: int) -> int:
        """Steps done in all stages."""
        return sum(self.steps[:stage]) + step

    @property
    def _checkpoints(self) -> Path:
        return self.folder / "checkpoints"
