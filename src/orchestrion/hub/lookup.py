"""From the name that a user gives to a weights file."""

from __future__ import annotations

from pathlib import Path

from orchestrion.errors import OptionError, WeightsError
from orchestrion.hub.official import official_path
from orchestrion.hub.weights import bundled_path

SUFFIX = ".safetensors"


def is_path(name: str) -> bool:
    """Whether `name` is the path of a file or folder rather than the name of a system."""
    return name.endswith(SUFFIX) or "/" in name or "\\" in name


def find_weights(name: str) -> Path:
    """The weights file that `name` means.

    Args:
        name: the path of a file; a folder with one weights file in it, such as a training leaves; the name of a system,
            whose weights ship with the package; or "name:official" for the authors' checkpoint, which is fetched and
            converted the first time.

    Raises:
        OptionError: what follows the colon is unknown.
        WeightsError: there is no such file.
    """
    if is_path(name):
        return _file_in(Path(name)) if Path(name).is_dir() else Path(name)
    base, _, source = name.partition(":")
    if source == "official":
        return official_path(base)
    if source:
        raise OptionError(f"{name!r} has the unknown source {source!r}; write {base!r} or '{base}:official'.")
    path = bundled_path(base)
    if path is None:
        raise WeightsError(f"No weights of {base} ship with this package; train them with `orchestrion train {base}`.")
    return path


def _file_in(folder: Path) -> Path:
    found = sorted(folder.glob(f"*{SUFFIX}"))
    if len(found) == 1:
        return found[0]
    if not found:
        raise WeightsError(f"There are no weights in the folder {folder}; give one that a training has finished in.")
    names = ", ".join(path.name for path in found)
    raise WeightsError(f"There are several weights files in the folder {folder} ({names}); name one of them.")
