"""One objective at work: its optimiser, and the step from shares of a batch to new weights."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from orchestrion.errors import OptionError, OrchestrionError
from orchestrion.training.log import Record
from orchestrion.training.processes import Processes
from orchestrion.training.sharding import is_split, whole
from orchestrion.training.stage import Objective, Stage

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def seed_everything(*numbers: int) -> None:
    """Seeds the global generators of torch and of `random` with a hash of `numbers`.

    Not by `torch.manual_seed`, which for every kind of device that is not in use keeps a call and its stack for later:
    a millisecond and some kilobytes in each step.
    """
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()
    seed = int.from_bytes(digest, "big") >> 1
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)
    random.seed(seed)


def in_precision(stage: Stage, device: str) -> AbstractContextManager[Any]:
    """Inside the block, matrix products are computed as the stage asks."""
    dtype = PRECISIONS[stage.precision]
    return torch.autocast(device, dtype, enabled=dtype != torch.float32)


class Runner:
    """Takes the steps of one objective.

    Args:
        number: of the objective in its stage.
        seed: numbers that the randomness of a step depends on, beside the step, the objective and the share.
        parts: shares that a batch is split into, over all processes.
    """

    def __init__(
        self,
        objective: Objective,
        stage: Stage,
        *,
        number: int,
        seed: tuple[int, ...],
        parts: int,
        processes: Processes,
    ) -> None:
        if stage.precision not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            raise OptionError(
                f"The precision {stage.precision!r} of stage {stage.name!r} is unknown; use one of {known}."
            )
        self.objective = objective
        self.parameters: list[nn.Parameter] = list(objective.parameters)
        self.optimiser = objective.optimiser(self.parameters)
        self._rates = [group["lr"] for group in self.optimiser.param_groups]
        self._stage, self._number, self._seed = stage, number, seed
        self._parts, self._processes = parts, processes
        self._device = self.parameters[0].device.type
        self._split = any(is_split(parameter) for parameter in self.parameters)

    def step(self, step: int, shares: Iterator[tuple[int, tuple[Any, ...]]]) -> Record:
        """One step: gradients of all shares, averaged by the weights of their losses, then clipped and applied.

        Args:
            shares: this process's shares of the batch, with their numbers: what the loss is called with.

        Raises:
            OrchestrionError: a loss has a negative weight, or nothing was counted in the whole batch.
        """
        factor = self.objective.schedule(step)
        for group, rate in zip(self.optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        self.optimiser.zero_grad(set_to_none=True)
        loss, weight, parts = self._gradients(step, shares)
        norm = None
        if self.objective.clip is not None:
            norm = whole(nn.utils.clip_grad_norm_(self.parameters, self.objective.clip))
        self.optimiser.step()
        return Record(self._stage.name, step, self.objective.name, loss, weight, self._rates[0] * factor, norm, parts)

    def _gradients(
        self, step: int, shares: Iterator[tuple[int, tuple[Any, ...]]]
    ) -> tuple[Tensor | float, float, dict[str, float]]:
        """Leaves the gradients of the batch with the parameters; gives its loss, its weight and other figures."""
        alone = self._parts == 1
        mean: Tensor | float = 0.0
        total = 0.0
        sums: dict[str, float] = {}
        for part, arguments in shares:
            seed_everything(*self._seed, step, self._number, part)
            with in_precision(self._stage, self._device):
                loss = self.objective.loss(*arguments)
            if not loss.weight >= 0:
                raise OrchestrionError(
                    f"The loss {self.objective.name!r} has the weight {loss.weight}; give what was counted."
                )
            if loss.weight == 0:
                if self._split:
                    raise OrchestrionError(
                        f"The loss {self.objective.name!r} counted nothing in a share of step {step}, which processes "
                        "that share one network cannot leave out; give each something to count."
                    )
                continue
            (loss.value if alone else loss.value * loss.weight).backward()
            mean = loss.value.detach().double() if alone else mean + loss.value.detach().double() * loss.weight
            total += loss.weight
            for name, value in loss.parts.items():
                sums[name] = sums.get(name, 0.0) + float(value) * loss.weight
        if not alone:
            mean, total, sums = self._over_processes(mean, total, sums)
        if total == 0:
            raise OrchestrionError(
                f"The loss {self.objective.name!r} counted nothing at step {step}; look at its data."
            )
        if not alone:
            mean = mean / total
            for parameter in self.parameters:
                if parameter.grad is not None:  # FSDP has taken the mean over the processes already
                    parameter.grad.div_(total / self._processes.count if is_split(parameter) else total)
        return mean, total, {name: value / total for name, value in sums.items()}

    def _over_processes(
        self, mean: Tensor | float, total: float, sums: dict[str, float]
    ) -> tuple[Tensor | float, float, dict[str, float]]:
        """Sums of losses, weights, figures and gradients over the processes."""
        if self._processes.count == 1:
            return mean, total, sums
        held = [parameter for parameter in self.parameters if not is_split(parameter)]  # others are summed already
        reached = [float(parameter.grad is not None) for parameter in held]
        mean, total, *rest = self._processes.sum([float(mean), total, *reached])
        for parameter, times in zip(held, rest, strict=True):
            if times and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        self._processes.sum_tensors([parameter.grad for parameter in held if parameter.grad is not None])
        names = self._processes.union(sums)
        values = self._processes.sum([sums.get(name, 0.0) for name in names])
        return mean, total, dict(zip(names, values, strict=True))
