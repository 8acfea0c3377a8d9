"""VGMIDI's raw annotations: what each listener felt in each bar, as phrases of one feeling.

Music FaderNets (arXiv 2007.15474) reads its labels from these curves, and so did the makers of the data set; the table
that they publish today (`vgmidi`) was made in another way.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from orchestrion.analysis.agreed_curve import agreed_curve
from orchestrion.data.datasets.dataset import SPLITS, Entry
from orchestrion.data.datasets.layout import not_the_data_set, piece_of_score, split_by_hash
from orchestrion.data.datasets.vgmidi import KINDS, LICENCE, SOURCE
from orchestrion.data.piece import Piece
from orchestrion.errors import InputError
from orchestrion.media.timeline import Timeline

TRAINED = 3  # musicianship, of 1 to 5, from which a listener counts
FEWEST = 3  # listeners of that musicianship; with fewer, all count


@dataclass(frozen=True, slots=True)
class Phrase:
    """Bars of a piece with one feeling: its title, seconds [start, stop), and what is felt by kind."""

    title: str
    start: float
    stop: float
    feeling: dict[str, str]


@dataclass(frozen=True, slots=True)
class VgmidiCurves:
    """Phrases of the labelled pieces: runs of bars in which the agreed curves of arousal and valence keep their signs.

    The curves of listeners with musicianship of at least 3 are grouped and averaged (`analysis.agreed_curve`). Phrases
    of a piece share its split, which is that of `vgmidi`.
    """

    title: str = "VGMIDI with its raw annotations"
    source: str = SOURCE
    licence: str = LICENCE
    splits: tuple[str, ...] = SPLITS

    def find(self, folder: Path) -> list[Entry]:
        """All phrases; see `Reader.find`. Annotations are JSON files in folders named `annotations`; MIDI files lie
        anywhere in the folder, under the names that these give. Grouping the curves of the whole data set takes some
        seconds."""
        files = {path.name: path for path in sorted(folder.rglob("*.mid"))}
        entries: list[Entry] = []
        for table in sorted(folder.rglob("annotations/*.json")):
            for held, curves in _annotated(table):
                name = Path(held["midi"]).name
                if name in files:
                    entries += _phrases(files[name], held, curves)
        if not entries:
            wanted = "labelled/annotations/vgmidi_raw_1.json and the MIDI files that it names, in labelled/midi"
            raise not_the_data_set(folder, self.title, wanted)
        return entries

    def read(self, entry: Entry) -> Piece:
        """The phrase as a piece of its own, with tags for "arousal" ("low", "high") and "valence" ("negative",
        "positive"); see `Reader.read`."""
        phrase: Phrase = entry.facts
        piece, score = piece_of_score(entry.id, entry.path)
        at = Timeline.from_score(score).second_to_tick
        start, stop = round(at(phrase.start)), round(at(phrase.stop))
        piece.score = score.clip(start, stop, clip_end=False).shift_time(-start)
        return replace(
            piece,
            title=phrase.title,
            source=self.source,
            licence=self.licence,
            split=entry.split,
            tags={"genre": ["game"], **{kind: [word] for kind, word in phrase.feeling.items()}},
        )


def _annotated(table: Path) -> list[tuple[dict[str, Any], dict[str, Float[np.ndarray, "listeners bars"]]]]:
    """Each piece of a file with the curves that count.

    Raises:
        InputError: the file is damaged.
    """
    try:
        held = json.loads(table.read_text(encoding="utf-8"))
        drawn: dict[str, list[dict[str, Any]]] = {}
        for name, one in held["annotations"].items():
            drawn.setdefault(name.partition("_")[0], []).append(one)
        found = []
        for name, piece in held["pieces"].items():
            listeners = drawn.get(name, [])
            trained = [one for one in listeners if int(one.get("musicianship", 0)) >= TRAINED]
            listeners = trained if len(trained) >= FEWEST else listeners
            if listeners:
                found.append((_checked(piece), {kind: _curves([one[kind] for one in listeners]) for kind in KINDS}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{table} cannot be read as annotations of VGMIDI; get it again.") from error
    return found


def _checked(piece: dict[str, Any]) -> dict[str, Any]:
    duration, bars = float(piece["duration"]), int(piece["measures"])
    if not (0 < duration < float("inf") and bars > 0):
        raise ValueError("a piece without length")
    return {"name": str(piece["name"]), "midi": str(piece["midi"]), "duration": duration, "measures": bars}


def _curves(drawn: list[list[float]]) -> Float[np.ndarray, "listeners bars"]:
    """Curves of one piece, cut to the shortest, as a bar may be counted once more or less."""
    length = min(len(one) for one in drawn)
    curves = np.array([one[:length] for one in drawn], np.float64)
    if not length or not np.isfinite(curves).all():
        raise ValueError("a curve of nothing")
    return curves


def _phrases(path: Path, held: dict[str, Any], curves: dict[str, Float[np.ndarray, "listeners bars"]]) -> list[Entry]:
    words = [[KINDS[kind][int(value >= 0)] for value in agreed_curve(drawn)] for kind, drawn in curves.items()]
    *_, game, work = ["", *path.stem.split("_")]  # Series_Console_Game_Piece, or one word in the first version
    bar = held["duration"] / held["measures"]
    entries, first = [], 0
    for number, (feeling, run) in enumerate(groupby(zip(*words, strict=False))):
        last = first + len(list(run))
        phrase = Phrase(held["name"], first * bar, last * bar, dict(zip(curves, feeling, strict=True)))
        entries.append(Entry(f"{path.stem}_{number}", path, split_by_hash(f"{game} {work}"), phrase))
        first = last
    return entries


READERS = {"vgmidi_curves": VgmidiCurves()}
