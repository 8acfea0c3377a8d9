"""Checkpoints of a training: a folder with tensors (safetensors) and all else (JSON), whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from orchestrion.errors import OutputError, WeightsError

KEPT = 2
_TENSORS, _REST, _UNFINISHED = "tensors.safetensors", "state.json", ".unfinished-"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a training was: `step` steps of stage number `stage` are done.

    Attributes:
        tensors: by name, under the prefixes "model.", "helper.", "average.", "optimiser.".
        state: plain values.
    """

    stage: int
    step: int
    tensors: dict[str, Tensor]
    state: dict[str, Any]

    def under(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose name begins with `prefix`, without it."""
        return {name.removeprefix(prefix): value for name, value in self.tensors.items() if name.startswith(prefix)}


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Writes a checkpoint under `folder` and removes all but the last two.

    Raises:
        OutputError: the disk is full, or the folder cannot be written to.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path = folder / f"{checkpoint.stage:03d}-{checkpoint.step:010d}"
    if path.is_dir():
        return path
    unfinished = folder / (_UNFINISHED + path.name)
    tensors, same = _without_shared(checkpoint.tensors)
    rest = {"stage": checkpoint.stage, "step": checkpoint.step, "same": same, "state": checkpoint.state}
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        save_file(tensors, unfinished / _TENSORS)
        (unfinished / _REST).write_text(json.dumps(rest), encoding="utf-8")
        for name in (_TENSORS, _REST):
            _to_disk(unfinished / name)
        unfinished.rename(path)
        _to_disk(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise OutputError(f"The checkpoint {path} cannot be written ({error}); make room or choose another.") from error
    for old in checkpoints(folder)[:-KEPT]:
        doomed = old.rename(folder / (_UNFINISHED + old.name))
        shutil.rmtree(doomed, ignore_errors=True)
    return path


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints under `folder`, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def newest_checkpoint(folder: Path) -> Checkpoint | None:
    """The last checkpoint under `folder`, if there is one."""
    found = checkpoints(folder)
    return read_checkpoint(found[-1]) if found else None


def remove_unfinished(folder: Path) -> None:
    """Removes what a killed run was writing or removing."""
    for path in folder.glob(_UNFINISHED + "*"):
        shutil.rmtree(path, ignore_errors=True)


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint.

    Raises:
        WeightsError: it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        rest = json.loads((path / _REST).read_text(encoding="utf-8"))
        tensors = load_file(path / _TENSORS)
        tensors |= {name: tensors[other] for name, other in rest["same"].items()}
        return Checkpoint(rest["stage"], rest["step"], tensors, rest["state"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise WeightsError(f"The checkpoint {path} is damaged; delete it to go on from the one before.") from error


def optimiser_tensors(optimiser: Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state of an optimiser as tensors and plain values, both under "<parameter>.<name>".

    Learning rates and other settings are left out: they follow from the stage and the step.
    """
    tensors: dict[str, Tensor] = {}
    plain: dict[str, Any] = {}
    for number, entries in optimiser.state_dict()["state"].items():
        for name, value in entries.items():
            kind = tensors if isinstance(value, Tensor) else plain
            kind[f"{number}.{name}"] = value
    return tensors, plain


def restore_optimiser(optimiser: Optimizer, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> None:
    """Puts what `optimiser_tensors` gave into an optimiser that was made in the same way."""
    state: dict[int, dict[str, Any]] = {}
    for name, value in {**tensors, **plain}.items():
        number, _, entry = name.partition(".")
        state.setdefault(int(number), {})[entry] = value.clone() if isinstance(value, Tensor) else value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def _without_shared(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors of which none shares memory, and for each name that is left out the one that has the same."""
    kept: dict[str, Tensor] = {}
    same: dict[str, str] = {}
    views: dict[tuple, str] = {}
    storages: set[int] = set()
    for name, value in tensors.items():
        value = value.detach()
        view = (value.data_ptr(), value.dtype, tuple(value.shape), value.stride())
        storage = value.untyped_storage().data_ptr()
        if value.numel() and view in views:
            same[name] = views[view]
            continue
        views[view] = name
        shared = storage in storages and value.numel() > 0
        kept[name] = value.clone(memory_format=torch.contiguous_format) if shared else value.contiguous()
        storages.add(storage)
    return kept, same


def _to_disk(path: Path) -> None:
    """Waits until a file, or the names in a folder, would survive a loss of power."""
    if os.name == "nt" and path.is_dir():
        return  # folders cannot be opened there
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
