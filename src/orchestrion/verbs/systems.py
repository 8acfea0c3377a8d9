"""What systems there are and what each can do."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from orchestrion.errors import OptionError
from orchestrion.verbs.result import Result, plain


@dataclass(frozen=True, slots=True)
class SystemList(Result):
    """One entry a system: the fields of its card, its presets with parameter counts, and whether weights ship."""

    systems: tuple[dict[str, Any], ...]


def systems(name: str | None = None) -> SystemList:
    """The card of one system, or of all.

    Raises:
        OptionError: there is no such system.
    """
    from orchestrion.systems.registry import available

    known = sorted(available())
    if name is not None and name not in known:
        raise OptionError(f"There is no system {name!r}; there are {', '.join(known)}.")
    return SystemList(tuple(_entry(one) for one in ([name] if name is not None else known)))


def _entry(name: str) -> dict[str, Any]:
    from orchestrion.hub.weights import bundled_path
    from orchestrion.systems.registry import system_class

    kind = system_class(name)
    presets = {preset: _parameters(kind, preset) for preset in kind.presets}
    return {**plain(dataclasses.asdict(kind.card)), "presets": presets, "bundled": bundled_path(name) is not None}


def _parameters(kind: Any, preset: str) -> int:
    """Counted from the network itself, without memory for its weights."""
    import torch

    with torch.device("meta"):
        return sum(parameter.numel() for parameter in kind.from_preset(preset).parameters())
