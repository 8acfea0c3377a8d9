"""Trains a system through its stages."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrion.errors import OptionError, OutputError
from orchestrion.verbs import options
from orchestrion.verbs.result import Progress, Result

if TYPE_CHECKING:
    from orchestrion.systems.system import System


@dataclass(frozen=True, slots=True)
class Trained(Result):
    """What a training leaves.

    Attributes:
        folder: of checkpoints and logs.
        weights: the file they are in.
        figures: the last of each stage.
        resumed: steps that were done already when the run was gone on with.
        left_out: how many recordings could not be used, by reason.
        speed: of each stage that ran: steps and items a second, and the largest memory so far in GB.
    """

    system: str
    folder: Path
    weights: Path
    figures: dict[str, Any]
    resumed: int
    left_out: dict[str, int]
    speed: dict[str, Any]


def train(
    system: str,
    *,
    preset: str = "mini",
    changes: Mapping[str, Any] | None = None,
    folder: str | Path | None = None,
    data: str = "compact",
    steps: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    resume: bool | None = None,
    accumulate: int = 1,
    compile: bool = False,
    progress: Progress | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Trained:
    """Trains `system` from the start, or goes on where a killed run in the same folder was.

    Args:
        changes: arguments of the system in the place of those of the preset.
        folder: of checkpoints and logs; runs/<system>-<preset> by default.
        data: "compact", "full", the path of a corpus, or a folder of recordings.
        steps: at most so many steps of each stage, for a trial.
        resume: True: there must be a run in the folder to go on with; False: there must be none; None: either.
        accumulate: shares that a batch is split into, one at a time in memory.
        compile: whether to compile the network; see `Trainer`.
        tell: called with lines about the data and about where the run goes on.

    Raises:
        OptionError: there is no such system, preset, argument or device, or `resume` forbids what would be done.
        InputError: there is no such data, or none that can be trained on.
        OutputError: the folder cannot be made, or the disk is full; the last checkpoint is kept.
    """
    import torch

    from orchestrion.systems.registry import system_class
    from orchestrion.training.trainer import Trainer
    from orchestrion.verbs.serving import check_device
    from orchestrion.verbs.training_data import training_data

    options.within("--steps", steps, 1, 10**9)
    options.within("--accumulate", accumulate, 1, 10**6, "shares")
    check_device(device)
    kind = system_class(system.partition(":")[0])
    torch.manual_seed(seed)  # the first weights belong to the run
    model = build(kind, preset, changes or {}).to(device)
    target = Path(folder) if folder is not None else Path("runs") / f"{system}-{preset}"
    held = training_data(data, shortest=model.shortest_seconds, progress=progress)
    for line in held.told:
        tell(line)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {target} cannot be made ({error.strerror}); choose another.") from error
    trainer = Trainer(
        model,
        model.stages(held.train, held.validation),
        folder=target,
        seed=seed,
        max_steps=steps,
        resume=resume,
        about={"arguments": all_arguments(model), "data": held.hash},
        accumulate=accumulate,
        compile=compile,
        progress=progress,
    )
    figures = trainer.run()
    weights = target / f"{system}.safetensors"
    if trainer.first:
        command = _command(system, preset, changes or {}, data, seed, steps)
        model.save(weights, {"command": command, "seed": seed, "corpus": held.hash, "figures": figures})
    speed = {name: asdict(value) for name, value in trainer.speed.items()}
    return Trained(system, target, weights, dict(figures), trainer.resumed, held.left_out, speed)


def build(kind: type[System], preset: str, changes: Mapping[str, Any]) -> System:
    """An untrained system of a preset with some arguments changed.

    Raises:
        OptionError: there is no such preset or argument, or the system cannot be built with it.
    """
    try:
        return kind.from_preset(preset, **changes)
    except (TypeError, ValueError, ArithmeticError, LookupError, RuntimeError) as error:
        told = ", ".join(f"{name}={value}" for name, value in changes.items()) or "its own arguments"
        reason = " ".join(str(error).split())[:200]
        raise OptionError(
            f"{kind.card.name} cannot be built in the size {preset!r} with {told} ({reason}); choose other values."
        ) from error


def all_arguments(model: System) -> dict[str, Any]:
    """The arguments a system was made with, and the defaults of the others."""
    parameters = inspect.signature(type(model).__init__).parameters.values()
    defaults = {one.name: one.default for one in parameters if one.default is not inspect.Parameter.empty}
    return {**defaults, **model.arguments}


def read_changes(entries: Sequence[str]) -> dict[str, Any]:
    """Arguments as people type them: "name=value", the value as JSON ("[3, 3]", "1e-4", "true"), else as text.

    Raises:
        OptionError: one has no name, or two the same.
    """
    changes: dict[str, Any] = {}
    for entry in entries:
        name, sign, text = entry.partition("=")
        name = name.strip()
        if not sign or not name.isidentifier():
            raise OptionError(f"{entry!r} sets nothing; write --set NAME=VALUE, like --set learning_rate=1e-4.")
        if name in changes:
            raise OptionError(f"{name} is set twice; set it once.")
        try:
            changes[name] = json.loads(text)
        except ValueError:
            changes[name] = text
    return changes


def _command(system: str, preset: str, changes: Mapping[str, Any], data: str, seed: int, steps: int | None) -> str:
    """What to type for the same training."""
    import shlex

    words = ["orchestrion", "train", system, "--preset", preset, "--data", data, "--seed", str(seed)]
    words += [] if steps is None else ["--steps", str(steps)]
    for name, value in changes.items():
        words += ["--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join(words)
