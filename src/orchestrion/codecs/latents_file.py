"""Latents on disk, .npz or .safetensors, with all that is needed to decode them and how they came to be."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from orchestrion.codecs.codec import Latents
from orchestrion.errors import InputError, OptionError
from orchestrion.media.files import atomic_write, check_input
from orchestrion.media.provenance import Provenance

SUFFIXES = (".npz", ".safetensors")
LARGEST = 4 << 30  # bytes
KIND = "orchestrion latents 1"


def write_latents(latents: Latents, path: str | Path, provenance: Provenance | None = None) -> Path:
    """Writes latents; `.npz` opens in numpy alone.

    Raises:
        OptionError: the suffix is of neither format.
        OutputError: the file cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        raise OptionError(f"Latents cannot be written as {target.suffix!r}; choose {' or '.join(SUFFIXES)}.")
    about: dict[str, Any] = {
        "kind": KIND,
        "rate": latents.rate,
        "sample_rate": latents.sample_rate,
        "samples": latents.samples,
        "codec": latents.codec,
    }
    if provenance is not None:
        about["provenance"] = provenance.to_dict()
    with atomic_write(target) as temporary:
        if target.suffix.lower() == ".npz":
            np.savez(temporary, values=latents.values, about=np.array(json.dumps(about)))
        else:
            from safetensors.numpy import save_file

            save_file({"values": np.ascontiguousarray(latents.values)}, temporary, {"about": json.dumps(about)})
    return target


def read_latents(path: str | Path) -> Latents:
    """Reads what `write_latents` wrote; nothing in the file is run.

    Raises:
        InputError: it is missing, damaged, too large, or of another kind.
    """
    found = check_input(path, most_bytes=LARGEST)
    try:
        values, about = _held(found)
        if about["kind"] != KIND or values.ndim != 3 or values.dtype.kind not in "fiu":
            raise ValueError
        return Latents(
            values if values.dtype.kind in "iu" else values.astype(np.float32),
            float(about["rate"]),
            int(about["sample_rate"]),
            int(about["samples"]),
            str(about["codec"]),
        )
    except (ValueError, KeyError, TypeError, OSError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"The file {found} holds no latents; give one that `orchestrion encode` wrote.") from error


def _held(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    if path.suffix.lower() == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return file["values"], json.loads(str(file["about"]))
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            return file.get_tensor("values"), json.loads((file.metadata() or {})["about"])
    except SafetensorError as error:
        raise ValueError from error
