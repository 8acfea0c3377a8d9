"""NSynth (arXiv 1704.01279): 305,979 single notes of 1,006 instruments, 4 s at 16 kHz."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrion.data.datasets.dataset import SPLITS, Entry
from orchestrion.data.datasets.layout import check_sound, not_the_data_set
from orchestrion.data.piece import Piece, Split
from orchestrion.errors import InputError

PARTS: dict[str, Split] = {"nsynth-train": "train", "nsynth-valid": "validation", "nsynth-test": "test"}
WANTED = ("instrument_str", "instrument_family_str", "instrument_source_str", "pitch", "velocity", "qualities_str")


@dataclass(frozen=True, slots=True)
class NSynth:
    """Notes by name, in whichever of the three parts lie in the folder; instruments of training are in no other."""

    title: str = "NSynth"
    source: str = "NSynth (arXiv 1704.01279), https://magenta.tensorflow.org/datasets/nsynth"
    licence: str = "CC BY 4.0"
    splits: tuple[str, ...] = SPLITS

    def find(self, folder: Path) -> list[Entry]:
        """All notes of the tables; see `Reader.find`."""
        entries = []
        for part, split in PARTS.items():
            for root in (folder / part, folder):
                table = root / "examples.json"
                if table.is_file() and root.name == part:
                    entries += [
                        Entry(name, root / "audio" / f"{name}.wav", split, facts)
                        for name, facts in sorted(_notes(table).items())
                    ]
                    break
        if not entries:
            raise not_the_data_set(
                folder, self.title, "nsynth-train/examples.json and nsynth-train/audio (valid, test)"
            )
        return entries

    def read(self, entry: Entry) -> Piece:
        """The note with its instrument, family, source, pitch, velocity and qualities; see `Reader.read`."""
        check_sound(entry.path)
        facts = entry.facts
        piece = Piece(entry.id, title=entry.id, audio=entry.path, source=self.source, licence=self.licence)
        piece.split = entry.split
        piece.tags = {
            "instrument": [facts["instrument_str"]],
            "family": [facts["instrument_family_str"]],
            "origin": [facts["instrument_source_str"]],
            "pitch": [str(facts["pitch"])],
            "velocity": [str(facts["velocity"])],
            "quality": list(facts["qualities_str"]),
        }
        return piece


def _notes(table: Path) -> dict[str, dict[str, Any]]:
    try:
        notes = json.loads(table.read_text(encoding="utf-8"))
        return {
            name: {key: note[key] for key in WANTED}
            for name, note in notes.items()
            if "/" not in name and name[:1] != "."
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{table} is not a table of NSynth; get it again.") from error


READERS = {"nsynth": NSynth()}
