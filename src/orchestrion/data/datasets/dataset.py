"""A public data set on disk: found whole, read piece by piece."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, overload

from orchestrion.data.piece import Piece, Split
from orchestrion.errors import InputError, OptionError, OrchestrionError

SPLITS = ("train", "validation", "test")
MODULES = {
    "lmd_full": "lakh",
    "lmd_matched": "lakh",
    "lmd_aligned": "lakh",
    "midicaps": "midicaps",
    "pop909": "pop909",
    "maestro": "maestro",
    "atepp": "atepp",
    "vgmidi": "vgmidi",
    "vgmidi_curves": "vgmidi_curves",
    "yamaha_epiano": "yamaha_epiano",
    "slakh2100": "slakh2100",
    "essen": "essen",
    "nottingham": "nottingham",
}
RECORDINGS = {
    "magnatagatune": "magnatagatune",
    "mtg_jamendo": "mtg_jamendo",
    "mtg_jamendo_top50": "mtg_jamendo",
    "mtg_jamendo_genre": "mtg_jamendo",
    "mtg_jamendo_instrument": "mtg_jamendo",
    "mtg_jamendo_moodtheme": "mtg_jamendo",
    "gtzan": "gtzan",
    "musiccaps": "musiccaps",
    "fma_small": "fma",
    "fma_medium": "fma",
    "fma_large": "fma",
    "fma_full": "fma",
    "nsynth": "nsynth",
    "musdb18": "musdb18",
}
"""Data sets of sound without scores, and their modules."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A piece that has not been read: its name in the data set, its file, its split, and what else the index says."""

    id: str
    path: Path
    split: Split
    facts: Any = None


class Reader(Protocol):
    """What a data set's own file gives.

    Attributes:
        title, source, licence: as its authors state them; the licence is that of the annotations and files together.
        splits: the parts it has.
    """

    title: str
    source: str
    licence: str
    splits: Sequence[str]

    def find(self, folder: Path) -> list[Entry]:
        """All pieces in a folder, in a fixed order, without reading their notes.

        Raises:
            InputError: the folder does not look like the data set.
        """
        ...

    def read(self, entry: Entry) -> Piece:
        """The piece, with its id, split, source and licence.

        Raises:
            InputError: a file of it is missing or damaged.
        """
        ...


class Dataset(Sequence[Piece]):
    """The pieces of a data set, each read when it is asked for.

    Iterating passes over the pieces that cannot be read and lists them, with the reasons, in `failures`; asking for
    one by number raises the error.

    Attributes:
        entries: the pieces unread; they can be pickled, so that `pipeline.map_files` can share them out.
        failures: (id, why) of the pieces that the last walk passed over.
    """

    def __init__(self, reader: Reader, entries: list[Entry]) -> None:
        self.reader = reader
        self.entries = entries
        self.failures: list[tuple[str, str]] = []

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, index: int) -> Piece: ...
    @overload
    def __getitem__(self, index: slice) -> list[Piece]: ...
    def __getitem__(self, index: int | slice) -> Piece | list[Piece]:
        if isinstance(index, slice):
            return [self.reader.read(entry) for entry in self.entries[index]]
        return self.reader.read(self.entries[index])

    def __iter__(self) -> Iterator[Piece]:
        self.failures = []
        for entry in self.entries:
            try:
                piece = self.reader.read(entry)
            except OrchestrionError as error:
                self.failures.append((entry.id, str(error)))
                continue
            yield piece


def dataset_names() -> list[str]:
    """Names that `load_dataset` knows, those with scores first."""
    return [*MODULES, *RECORDINGS]


def load_dataset(name: str, folder: str | Path, split: str | None = None) -> Dataset:
    """The pieces of a public data set that lies in `folder`, unpacked as its authors publish it.

    Args:
        name: one of `dataset_names()`.
        split: "train", "validation" or "test"; all by default.

    Raises:
        OptionError: the name is unknown, or the data set has no such split.
        InputError: the folder does not look like the data set.
    """
    modules = MODULES | RECORDINGS
    if name not in modules:
        raise OptionError(f"There is no reader for a data set {name!r}; choose one of {', '.join(modules)}.")
    reader: Reader = importlib.import_module(f"orchestrion.data.datasets.{modules[name]}").READERS[name]
    if split is not None and split not in reader.splits:
        raise OptionError(f"{reader.title} has no split {split!r}; choose one of {', '.join(reader.splits)}.")
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"There is no folder {root}; give the one into which {reader.title} was unpacked.")
    entries = reader.find(root)
    return Dataset(reader, [entry for entry in entries if split in (None, entry.split)])
