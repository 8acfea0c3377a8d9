"""How a file came to be: which system made it, with which weights, from what, and on what terms."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from orchestrion.errors import InputError
from orchestrion.media.files import atomic_write, read_input

LARGEST_SIDECAR = 16 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who made a piece of music, from what, and on what terms.

    Attributes:
        system: name of the system that made it.
        weights_hash: of the file of weights.
        prompt: the sentence, or the name of the file, that it was made from.
        seed: makes the same piece again with the same weights and options.
        licence: of the result.
        version: of this library.
        extra: whatever else is known, such as the options and the system's report; plain values only.
    """

    system: str
    weights_hash: str
    prompt: str
    seed: int
    licence: str
    version: str
    extra: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """All fields, those in `extra` under that name."""
        return asdict(self)

    def to_json(self, *, indent: int | None = None) -> str:
        """One JSON object."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, indent=indent)

    def tags(self) -> dict[str, str]:
        """What is written into the sound file itself: everything but `extra`, as tags every player knows.

        The comment holds the fields as one JSON object in ASCII, so that tags of any encoding carry it unharmed.
        """
        fields = {name: value for name, value in self.to_dict().items() if name != "extra"}
        return {
            "comment": json.dumps(fields, ensure_ascii=True),
            "software": f"Orchestrion {self.version}",
            "copyright": self.licence,
        }


def sidecar_path(path: str | Path) -> Path:
    """Where the record of the file `path` lies: beside it, with the suffix `.json`."""
    return Path(path).with_suffix(".json")


def write_sidecar(path: str | Path, provenance: Provenance) -> Path:
    """Writes the record of the file `path` beside it and returns where.

    Raises:
        OutputError: it cannot be written.
    """
    target = sidecar_path(path)
    with atomic_write(target) as temporary:
        temporary.write_text(provenance.to_json(indent=2) + "\n", encoding="utf-8")
    return target


def read_sidecar(path: str | Path) -> Provenance:
    """The record that lies beside the file `path`, or is `path` itself.

    Raises:
        InputError: there is none, or it is not such a record.
    """
    source = sidecar_path(path)
    content = read_input(source, most_bytes=LARGEST_SIDECAR)
    try:
        return Provenance(**json.loads(content))
    except (ValueError, TypeError) as error:
        raise InputError(f"The file {source} is not a record of how music was made; make the piece again.") from error
