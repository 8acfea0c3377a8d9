"""Weights files: safetensors with a header that says what they are; where they lie; their hash."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from orchestrion.errors import WeightsError
from orchestrion.media.files import atomic_write

BUNDLED = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True, slots=True)
class Weights:
    """What a weights file holds: tensors (floating-point ones in float32), its header, and the hash of both."""

    tensors: dict[str, Tensor]
    header: dict[str, str]
    hash: str


def bundled_path(name: str) -> Path | None:
    """The file of a system's weights that ships with the package, if there is one."""
    path = BUNDLED / f"{name}.safetensors"
    return path if path.is_file() else None


def cache_folder() -> Path:
    """Where fetched weights are kept: $ORCHESTRION_CACHE, else a folder of the user's cache."""
    root = os.environ.get("ORCHESTRION_CACHE")
    if root:
        return Path(root)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "orchestrion" / "weights"


def write_weights(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str], *, half: bool = True) -> str:
    """Writes a weights file, whole or not at all; returns its hash.

    Args:
        half: floating-point tensors in half precision.
    """
    from safetensors.torch import save_file

    kept = {
        name: (value.half() if half and value.is_floating_point() else value).detach().cpu().contiguous().clone()
        for name, value in tensors.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        save_file(kept, temporary, dict(header))
    return file_hash(path)


def read_weights(path: Path) -> Weights:
    """Reads a weights file.

    Raises:
        WeightsError: it is missing, damaged, or not of this kind.
    """
    with _opened(path) as file:
        header = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    tensors = {name: value.float() if value.dtype == torch.float16 else value for name, value in tensors.items()}
    return Weights(tensors, header, file_hash(path))


def read_header(path: Path) -> dict[str, str]:
    """The header of a weights file alone, without its tensors.

    Raises:
        WeightsError: it is missing, damaged, or not of this kind.
    """
    with _opened(path) as file:
        return file.metadata() or {}


def read_foreign(path: str | Path) -> Mapping[str, Any]:
    """What a pickle of another program holds, such as a published checkpoint, read without running anything in it.

    Raises:
        WeightsError: it cannot be read safely, or holds no named entries.
    """
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # each kind of damage has its own
        raise WeightsError(f"The checkpoint {path} cannot be read safely ({type(error).__name__}).") from error
    if not isinstance(held, Mapping):
        raise WeightsError(f"The checkpoint {path} holds {type(held).__name__}, not the entries of a network.")
    return held


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            yield file
    except (OSError, SafetensorError) as error:
        reason = str(error).rstrip(".")
        raise WeightsError(f"The weights at {path} cannot be read ({reason}); give another file.") from error


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
