"""Systems by name. A module of this package whose class is decorated with `register` needs no other entry."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from orchestrion.errors import OptionError, WeightsError
from orchestrion.hub.weights import bundled_path, read_weights
from orchestrion.systems.system import System

Kind = TypeVar("Kind", bound=type[System])
_CLASSES: dict[str, type[System]] = {}


def register(name: str) -> Callable[[Kind], Kind]:
    """Class decorator: makes a system known as `name`, which must be the name of its module and on its card."""

    def add(kind: Kind) -> Kind:
        if kind.card.name != name:
            raise ValueError(f"the card of {kind.__name__} says {kind.card.name!r}, not {name!r}")
        _CLASSES[name] = kind
        return kind

    return add


def available() -> tuple[str, ...]:
    """Names of all systems, in alphabetical order."""
    package = import_module("orchestrion.systems")
    for module in pkgutil.iter_modules(package.__path__):
        import_module(f"orchestrion.systems.{module.name}")
    return tuple(sorted(_CLASSES))


def system_class(name: str) -> type[System]:
    """The class of a system.

    Raises:
        OptionError: there is no such system.
    """
    if name not in _CLASSES and name.isidentifier():
        package = import_module("orchestrion.systems")
        if any(module.name == name for module in pkgutil.iter_modules(package.__path__)):
            import_module(f"orchestrion.systems.{name}")
    if name not in _CLASSES:
        raise OptionError(f"There is no system {name!r}; there are {', '.join(available())}.")
    return _CLASSES[name]


def load(name: str, *, preset: str | None = None, device: str = "cpu") -> System:
    """A system that is ready to use.

    Args:
        name: a name (its bundled weights), "name:official" (the authors' checkpoint, fetched and converted), or the
            path of a weights file.
        preset: an untrained system of this size instead of weights.

    Raises:
        OptionError: there is no such system or preset.
        WeightsError: there are no weights for it, or they cannot be read.
    """
    if name.endswith(".safetensors") or "/" in name:
        path = Path(name) / "model.safetensors" if Path(name).is_dir() else Path(name)
        return system_class(read_weights(path).header.get("system", "")).from_file(path).to(device)
    base, _, source = name.partition(":")
    kind = system_class(base)
    if preset is not None:
        return kind.from_preset(preset).to(device)
    if source == "official":
        from orchestrion.hub.official import official_path

        return kind.from_file(official_path(base)).to(device)
    if source:
        raise OptionError(f"{name!r} has the unknown source {source!r}; write {base!r} or '{base}:official'.")
    path = bundled_path(base)
    if path is None:
        raise WeightsError(f"No weights of {base} ship with this package; train them with `orchestrion train {base}`.")
    return kind.from_file(path).to(device)
