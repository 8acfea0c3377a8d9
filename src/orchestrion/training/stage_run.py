"""One stage at work: its objectives in turn, its average of weights, its validation, and what a checkpoint keeps."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from orchestrion.training.checkpoint import Checkpoint, optimiser_tensors, restore_optimiser
from orchestrion.training.ema import Average
from orchestrion.training.log import Record
from orchestrion.training.modes import freezing, only, train_mode
from orchestrion.training.processes import Processes
from orchestrion.training.runner import Runner, seed_everything
from orchestrion.training.stage import Share, Stage

_VALIDATION, _DATA = -1, -2  # in seeds, in the place of the number of an objective


class StageRun:
    """Takes the steps of one stage.

    Args:
        model: what is trained.
        seed: numbers that the randomness of a step depends on, beside the step itself.
        accumulate: shares of a batch that this process takes.
    """

    def __init__(
        self, model: nn.Module, stage: Stage, *, seed: tuple[int, ...], accumulate: int, processes: Processes
    ) -> None:
        self.stage = stage
        self.modules = [model, *stage.helpers.values()]
        self._seed, self._processes = seed, processes
        self._parts = accumulate * processes.count
        self._shares = range(processes.rank * accumulate, (processes.rank + 1) * accumulate)
        self.runners = [
            Runner(objective, stage, number=number, seed=seed, parts=self._parts, processes=processes)
            for number, objective in enumerate(stage.objectives)
        ]
        self._trained = {id(parameter) for runner in self.runners for parameter in runner.parameters}
        self._learning: Runner | None = None
        self.average: Average | None = None
        if stage.ema is not None:
            named = {name: value for name, value in model.named_parameters() if id(value) in self._trained}
            self.average = Average(named, decay=stage.ema)

    @contextmanager
    def learning(self) -> Iterator[None]:
        """The network is in training mode inside the block."""
        with freezing(self.modules):
            train_mode(self.modules, self._trained)
            yield

    def step(self, step: int) -> list[Record]:
        """All objectives whose turn it is, on the batch of this step."""
        due = [runner for runner in self.runners if runner.due(step)]
        batches = self._batches(step, keep=len(due) > 1)
        records = []
        for runner in due:
            if runner is not self._learning:
                only(self.modules, runner.parameters)
                self._learning = runner
            records.append(runner.step(step, batches()))
        self._processes.share_buffers(self.modules)
        if self.average is not None and (step + 1) % self.stage.ema_every == 0:
            self.average.update()
        return records

    def _batches(self, step: int, *, keep: bool) -> Callable[[], Iterator[tuple[int, Any]]]:
        """What iterates over this process's shares of a batch; with `keep`, they are made only once."""
        kept: dict[int, Any] = {}

        def iterate() -> Iterator[tuple[int, Any]]:
            for part in self._shares:
                if part in kept:
                    yield part, kept[part]
                    continue
                seed_everything(*self._seed, step, _DATA, part)
                batch = self.stage.data(step, Share(part, self._parts))
                if keep:
                    kept[part] = batch
                yield part, batch

        return iterate

    def validate(self) -> Mapping[str, float]:
        """Figures on the averaged weights, where there are any; the randomness of the training is left alone."""
        if self.stage.validate is None or not self._processes.first:
            return {}
        for module in self.modules:
            module.eval()
        averaged = self.average.applied() if self.average is not None else nullcontext()
        with averaged, torch.no_grad(), kept_randomness(self.modules[0]):
            seed_everything(*self._seed, _VALIDATION)
            figures = self.stage.validate()
        train_mode(self.modules, self._trained)
        return figures

    def finish(self) -> None:
        """Puts the averaged weights in the place of the last ones."""
        if self.average is not None:
            self.average.swap()
            self.average = None

    def held(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What a checkpoint in the middle of the stage keeps beside weights."""
        tensors: dict[str, Tensor] = {}
        plain: dict[str, Any] = {"optimisers": {}}
        for runner in self.runners:
            name = runner.objective.name
            state, plain["optimisers"][name] = optimiser_tensors(runner.optimiser)
            tensors |= {f"optimiser.{name}.{key}": value for key, value in state.items()}
        if self.average is not None:
            tensors |= {f"average.{name}": value for name, value in self.average.values.items()}
            plain["updates"] = self.average.updates
        return tensors, plain

    def restore(self, checkpoint: Checkpoint) -> None:
        """Goes on from what `held` gave."""
        plain = checkpoint.state["stage"]
        for runner in self.runners:
            name = runner.objective.name
            restore_optimiser(runner.optimiser, checkpoint.under(f"optimiser.{name}."), plain["optimisers"][name])
        if self.average is not None:
            self.average.load(checkpoint.under("average."), plain["updates"])


@contextmanager
def kept_randomness(model: nn.Module) -> Iterator[None]:
    """Whatever is drawn inside the block, the global generators are as before after it."""
    device = next(model.parameters()).device
    state = random.getstate()
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield
    finally:
        random.setstate(state)
