"""The authors' own checkpoints: where they are, fetched when asked for, converted to our names, and kept.

A module of this package, named as its system, has
- `SOURCE`: the `repository` on the hub and the `file` in it (both None where nothing is public), other `files` that it
  needs beside it, its `licence`, the authors' `code`, and the official constructor `arguments` where they are not the
  defaults;
- `read(path)`: the tensors of an official file in our names, read without running anything in it;
- `arguments(official)`: our constructor arguments from the official ones;
- `arguments_of(path)`, where a configuration that lies beside the file says how its network was made: the same.
"""

from __future__ import annotations

import json
import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from orchestrion.errors import WeightsError
from orchestrion.hub.weights import cache_folder, file_hash, write_weights


def official_path(name: str, *, file: str | Path | None = None) -> Path:
    """The authors' checkpoint of a system as a weights file of ours; fetched and converted the first time.

    Args:
        file: the official file, where the user has it; by default what the environment variable
            ORCHESTRION_OFFICIAL_<NAME> names, else the file on the hub.

    Raises:
        WeightsError: no checkpoint is public, it cannot be fetched or read, or it is of another network.
    """
    module = _converter(name)
    source: dict[str, Any] = getattr(module, "SOURCE", {})
    variable = f"ORCHESTRION_OFFICIAL_{name.upper()}"
    own = file or os.environ.get(variable)
    if own is not None:
        official = Path(own)
        if not official.is_file():
            raise WeightsError(f"There is no file {official}; give the official checkpoint of {name}.")
        converted = cache_folder() / f"{name}-{file_hash(official)[:16]}.safetensors"
    elif not source.get("repository"):
        raise WeightsError(
            f"No checkpoint of {name} is public; if you have the authors' file, name it in the environment variable "
            f"{variable}, or use {name!r} for the weights that ship."
        )
    else:
        official = None
        converted = cache_folder() / f"{name}-official.safetensors"
    if converted.is_file():
        return converted
    if official is None:
        official = _fetch(name, source["repository"], source["file"], variable)
        for beside in source.get("files", ()):
            _fetch(name, source["repository"], beside, variable)
    told = getattr(module, "arguments_of", None)
    found = module.arguments(source.get("arguments", {})) if told is None else told(official)
    header = {
        "system": name,
        "arguments": json.dumps(found),
        "licence": str(source.get("licence")),
        "source": f"{source['repository']}/{source['file']}" if own is None else official.name,
        "source_sha256": file_hash(official),
    }
    write_weights(converted, module.read(official), header, half=False)
    return converted


def _converter(name: str) -> ModuleType:
    if not name.isidentifier() or find_spec(f"{__name__}.{name}") is None:
        raise WeightsError(f"There is no converter for a checkpoint of {name!r}; use the weights that ship.")
    return import_module(f"{__name__}.{name}")


def _fetch(name: str, repository: str, file: str, variable: str) -> Path:
    """The file on the hub, from the hub's own cache if it is there."""
    import huggingface_hub

    try:
        return Path(huggingface_hub.hf_hub_download(repository, file))
    except Exception as error:  # each version of the library has its own kinds, for no network, no file, no right
        raise WeightsError(
            f"The checkpoint {file} of {name} cannot be fetched from {repository} ({type(error).__name__}); connect to "
            f"the network, or fetch it elsewhere and name it in the environment variable {variable}."
        ) from error
