"""Systems by name. A module of this package whose class is decorated with `register` needs no other entry."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from orchestrion.errors import OptionError, WeightsError
from orchestrion.hub.lookup import find_weights, is_path
from orchestrion.hub.weights import read_header
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
            path of a weights file or of a folder with one.
        preset: an untrained system of this size instead of weights.

    Raises:
        OptionError: there is no such system or preset.
        WeightsError: there are no weights for it, or they cannot be read.
    """
    if preset is not None and not is_path(name):
        return system_class(name.partition(":")[0]).from_preset(preset).to(device)
    if is_path(name):
        path = find_weights(name)
        return _class_of(path).from_file(path).to(device)
    kind = system_class(name.partition(":")[0])
    return kind.from_file(find_weights(name)).to(device)


def _class_of(path: Path) -> type[System]:
    """The class that a weights file names."""
    name = read_header(path).get("system", "")
    if name not in available():
        raise WeightsError(f"The weights at {path} are of no system of this package; give a file that it wrote.")
    return system_class(name)
