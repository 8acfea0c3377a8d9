"""One stage at work: its objectives in turn, its average of weights, its validation, and what a checkpoint keeps."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from orchestrion.training.batch_statistics import synced
from orchestrion.training.checkpoint import Checkpoint, optimiser_tensors, restore_optimiser
from orchestrion.training.compiling import compiled
from orchestrion.training.ema import Average
from orchestrion.training.log import Record
from orchestrion.training.modes import freezing, only, train_mode
from orchestrion.training.processes import Processes
from orchestrion.training.runner import Runner, in_precision, seed_everything
from orchestrion.training.sharding import is_sharded, split_like, whole
from orchestrion.training.stage import Sample, Share, Stage

# In seeds, in the place of the number of an objective:
_VALIDATION, _DATA, _SHARED, _SAMPLES, _START, _END = -1, -2, -3, -4, -5, -6


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
        self._learning: list[Runner] | None = None
        self.average: Average | None = None
        if stage.ema is not None:
            named = {name: value for name, value in model.named_parameters() if id(value) in self._trained}
            self.average = Average(named, decay=stage.ema)

    @contextmanager
    def learning(self, *, compile: bool = False) -> Iterator[None]:
        """The network is in training mode inside the block; what the stage names may be compiled."""
        with ExitStack() as stack:
            stack.enter_context(freezing(self.modules))
            stack.enter_context(synced(self.modules))
            if compile:
                stack.enter_context(compiled(self.stage.compiled or [*self.modules[0].children()]))
            train_mode(self.modules, self._trained)
            yield

    def step(self, step: int) -> list[Record]:
        """All objectives whose turn it is, on the batch of this step."""
        due = [runner for runner in self.runners if runner.objective.due(step)]
        batches = self._batches(step, keep=len(due) > 1)
        made = self._shared(step, due, batches) if self.stage.shared is not None and due else None
        records = []
        for runner in due:
            self._let_learn([runner])
            records.append(runner.step(step, _arguments(runner, batches(), made)))
        self._processes.share_buffers(self.modules)
        if self.average is not None and (step + 1) % self.stage.ema_every == 0:
            self.average.update()
        return records

    def _let_learn(self, runners: Sequence[Runner]) -> None:
        """Lets the parameters of `runners` want gradients, and nothing else."""
        if self._learning != runners:
            only(self.modules, [parameter for runner in runners for parameter in runner.parameters])
            self._learning = list(runners)

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
                if keep or self.stage.shared is not None:
                    kept[part] = batch
                yield part, batch

        return iterate

    def _shared(
        self, step: int, due: Sequence[Runner], batches: Callable[[], Iterator[tuple[int, Any]]]
    ) -> dict[int, Any]:
        """What the stage shares between objectives, for each share; with a graph if one that is due goes through it."""
        assert self.stage.shared is not None
        through = [runner for runner in due if runner.objective.through]
        self._let_learn(through)
        device = due[0].parameters[0].device.type
        made = {}
        for part, batch in batches():
            seed_everything(*self._seed, step, _SHARED, part)
            with torch.set_grad_enabled(bool(through)), in_precision(self.stage, device):
                made[part] = self.stage.shared(batch)
        return made

    def validate(self) -> Mapping[str, float]:
        """Figures on the averaged weights, where there are any; the randomness of the training is left alone."""
        return self._looked_at(self.stage.validate, _VALIDATION) or {}

    def samples(self) -> Mapping[str, Sample]:
        """Things to hear and see, made like the figures of a validation."""
        return self._looked_at(self.stage.samples, _SAMPLES) or {}

    def _looked_at(self, make: Callable[[], Any] | None, seed: int) -> Any:
        """What `make` gives in evaluation mode; in the first process only, unless the network lies in all of them."""
        if make is None or not (self._processes.first or is_sharded(self.modules)):
            return None
        averaged = self.average.applied() if self.average is not None else nullcontext()
        with averaged, self._standing_still(seed):
            return make()

    @contextmanager
    def _standing_still(self, seed: int) -> Iterator[None]:
        """Evaluation mode, no gradients, and random numbers of its own."""
        for module in self.modules:
            module.eval()
        with torch.no_grad(), kept_randomness(self.modules[0]):
            seed_everything(*self._seed, seed)
            yield
        train_mode(self.modules, self._trained)

    def start(self) -> None:
        """What the stage asks for before its first step."""
        self._settle(self.stage.start, _START)

    def _settle(self, hook: Callable[[], None] | None, seed: int) -> None:
        """Calls a hook in all processes; what it wrote into buffers is that of the first."""
        if hook is not None:
            with self._standing_still(seed):
                hook()
            self._processes.share_buffers(self.modules)

    def finish(self) -> None:
        """Puts the averaged weights in the place of the last ones, and does what the stage asks for at its end."""
        if self.average is not None:
            self.average.swap()
            self.average = None
        self._settle(self.stage.end, _END)

    def held(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What a checkpoint in the middle of the stage keeps beside weights; where these are split, all must ask."""
        tensors: dict[str, Tensor] = {}
        plain: dict[str, Any] = {"optimisers": {}}
        for runner in self.runners:
            name = runner.objective.name
            state, plain["optimisers"][name] = optimiser_tensors(runner.optimiser)
            tensors |= {f"optimiser.{name}.{key}": whole(value) for key, value in state.items()}
        if self.average is not None:
            tensors |= {f"average.{name}": whole(value) for name, value in self.average.values.items()}
            plain["updates"] = self.average.updates
        return tensors, plain

    def restore(self, checkpoint: Checkpoint) -> None:
        """Goes on from what `held` gave."""
        plain = checkpoint.state["stage"]
        for runner in self.runners:
            name = runner.objective.name
            tensors = checkpoint.under(f"optimiser.{name}.")
            for key, value in tensors.items():
                tensors[key] = split_like(value, runner.parameters[int(key.partition(".")[0])])
            restore_optimiser(runner.optimiser, tensors, plain["optimisers"][name])
        if self.average is not None:
            values = checkpoint.under("average.")
            held = {name: split_like(value, self.average.values[name]) for name, value in values.items()}
            self.average.load(held, plain["updates"])


def _arguments(
    runner: Runner, shares: Iterator[tuple[int, Any]], made: dict[int, Any] | None
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """What the loss of an objective is called with, share by share."""
    for part, batch in shares:
        if made is None:
            yield part, (batch,)
        elif runner.objective.through:
            attached, made[part] = made[part], detached(made[part])  # its graph is freed after the backward pass
            yield part, (batch, attached)
        else:
            yield part, (batch, detached(made[part]))


def detached(value: Any) -> Any:
    """Tensors without their graphs, in whatever lists, tuples, dicts and dataclasses they are."""
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, dict):
        return {name: detached(entry) for name, entry in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(detached(entry) for entry in value))
    if isinstance(value, (list, tuple)):
        return type(value)(detached(entry) for entry in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{entry.name: detached(getattr(value, entry.name)) for entry in fields(value)})
    return value


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
