"""What a training is, as plain values, so that a run is gone on with only as it was begun."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from orchestrion.errors import OptionError
from orchestrion.training.sharding import is_sharded
from orchestrion.training.stage import Objective, Stage


def check_stages(model: nn.Module, stages: Sequence[Stage]) -> None:
    """Sees that stages can be run.

    Raises:
        OptionError: two have one name; an objective trains nothing, or what belongs to neither the model nor a helper,
            or never takes its turn; more than one goes through what is shared; or a sharded network has several.
    """
    _require_names("stages", [stage.name for stage in stages])
    for stage in stages:
        _require_names(f"objectives of stage {stage.name!r}", [objective.name for objective in stage.objectives])
        held = {id(value) for module in (model, *stage.helpers.values()) for value in module.parameters()}
        for objective in stage.objectives:
            if not list(objective.parameters):
                raise OptionError(
                    f"The objective {objective.name!r} of stage {stage.name!r} has no parameters to train."
                )
            if any(id(value) not in held for value in objective.parameters):
                raise OptionError(
                    f"The objective {objective.name!r} trains what is no part of the model; "
                    f"name the module among the helpers of stage {stage.name!r}."
                )
            _check_turns(stage, objective)
        if (through := sum(objective.through for objective in stage.objectives)) and stage.shared is None:
            raise OptionError(f"The stage {stage.name!r} shares nothing that an objective could go through.")
        if through > 1:
            raise OptionError(f"Only one objective of stage {stage.name!r} can go through what is shared.")
        if len(stage.objectives) > 1 and is_sharded((model, *stage.helpers.values())):
            raise OptionError(
                f"The stage {stage.name!r} has several objectives, which a network split over processes cannot "
                "alternate between; train it whole in each process."
            )


def _check_turns(stage: Stage, objective: Objective) -> None:
    places = objective.offsets
    if objective.every < 1 or not places or not all(0 <= place < objective.every for place in places):
        raise OptionError(
            f"The objective {objective.name!r} of stage {stage.name!r} runs at {places} of every {objective.every} "
            "steps; give places from 0 to below that number."
        )
    if objective.after >= stage.steps:
        raise OptionError(
            f"The objective {objective.name!r} begins after {objective.after} steps, but stage {stage.name!r} has "
            f"only {stage.steps}."
        )


def _require_names(what: str, names: list[str]) -> None:
    if not names:
        raise OptionError(f"There are no {what}; give at least one.")
    if len(set(names)) < len(names):
        raise OptionError(f"Two of the {what} have the same name; they are {', '.join(names)}.")


def describe(
    model: nn.Module,
    stages: Sequence[Stage],
    steps: Sequence[int],
    *,
    seed: int,
    parts: int,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """All that the course of a training depends on, but for the code itself; of the data what `about` says."""
    shapes = repr([(name, tuple(value.shape)) for name, value in model.state_dict().items()])
    return {
        **{name: json.loads(json.dumps(value)) for name, value in about.items()},
        "model": type(model).__name__,
        "shapes of the weights": hashlib.sha256(shapes.encode()).hexdigest(),
        "seed": seed,
        "shares of a batch": parts,
        "stages": [
            {
                "name": stage.name,
                "steps": count,
                "ema": stage.ema,
                "ema_every": stage.ema_every,
                "precision": stage.precision,
                "objectives": [
                    {
                        "name": objective.name,
                        "every": objective.every,
                        "offset": list(objective.offsets),
                        "after": objective.after,
                        "clip": objective.clip,
                        "parameters": [list(parameter.shape) for parameter in objective.parameters],
                    }
                    for objective in stage.objectives
                ],
            }
            for stage, count in zip(stages, steps, strict=True)
        ],
    }


def require_same(folder: Path, begun: Any, now: Any, place: str = "") -> None:
    """Compares the plan that a run was begun with to the one at hand; what the first does not mention is not compared.

    Raises:
        OptionError: they differ; the sentence names the first difference.
    """
    if isinstance(begun, Mapping) and isinstance(now, Mapping) and begun.keys() <= now.keys():
        for name in begun:
            require_same(folder, begun[name], now[name], f"{name} of {place}" if place else name)
        return
    if isinstance(begun, list) and isinstance(now, list) and len(begun) == len(now):
        for number, (old, new) in enumerate(zip(begun, now, strict=True), 1):
            name = old["name"] if isinstance(old, dict) and "name" in old else number
            require_same(folder, old, new, f"{place}, {name!r}")
        return
    if begun != now:
        old, new = (value if isinstance(value, (int, float, str)) else "other values" for value in (begun, now))
        raise OptionError(
            f"The run in {folder} was begun with {place} = {old}, not {new}; give the same arguments or another folder."
        )
