"""Tags of a rendered clip that follow from its notes, and label matrices of tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from orchestrion.analysis.instruments import instrument_name
from orchestrion.data.excerpt import Part
from orchestrion.data.factory.moods import FAST, SLOW, felt_tempo, moods
from orchestrion.theory.keys import Key

FAMILIES = (
    "piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass", "reed", "pipe",
    "synth lead", "synth pad", "synth effects", "ethnic", "percussive", "sound effects",
)  # fmt: skip
"""The sixteen families of eight programs of General MIDI; drums are a family of their own, "drums"."""
LOW, HIGH = 55.0, 67.0  # mean key, weighted by length, below which the register is low, above which it is high


def family(program: int) -> str:
    """The family of a General MIDI program, 128 for drums.

    >>> family(40), family(73), family(128)
    ('strings', 'pipe', 'drums')
    """
    return "drums" if program == 128 else FAMILIES[program // 8]


def clip_tags(
    parts: Sequence[Part], *, key: Key | None, tempo: float | None, metre: tuple[int, int] | None
) -> dict[str, tuple[str, ...]]:
    """Tags by kind: "family", "instrument", "texture", "register", "tempo", "mode"; kinds that are not known are left
    out."""
    sounding = [part for part in parts if len(part.keys)]
    programs = list(dict.fromkeys(128 if part.is_drum else part.program for part in sounding))
    texture = {0: "silence", 1: "solo", 2: "duo", 3: "trio"}.get(len(sounding), "ensemble")
    tags: dict[str, tuple[str, ...]] = {
        "family": tuple(dict.fromkeys(family(program) for program in programs)),
        "instrument": tuple(dict.fromkeys(instrument_name(program) for program in programs)),
        "texture": (texture,),
    }
    pitched = [part for part in sounding if not part.is_drum]
    if pitched:
        lengths = np.concatenate([part.ends - part.starts for part in pitched])
        mean = float(np.average(np.concatenate([part.keys for part in pitched]), weights=np.maximum(lengths, 1e-3)))
        tags["register"] = ("low" if mean < LOW else "high" if mean > HIGH else "middle",)
    if tempo is not None and metre is not None:
        pace = felt_tempo(tempo, metre)
        tags["tempo"] = ("slow" if pace <= SLOW else "fast" if pace >= FAST else "medium",)
    if key is not None:
        tags["mode"] = (key.mode,)
    return tags


def clip_moods(
    key: Key | None, tempo: float | None, metre: tuple[int, int] | None, genre: str | None, groove: str | None
) -> tuple[str, ...]:
    """Mood words by the rule of the corpus, for the tempo and style that are played."""
    if key is None or tempo is None or metre is None:
        return ()
    return tuple(moods(key.mode, tempo, metre, genre or "", groove or ""))


def tag_names(tags: Sequence[Mapping[str, Sequence[str]]], *, kinds: Sequence[str], fewest: int = 1) -> list[str]:
    """Names "kind: tag" of all tags of these kinds that at least `fewest` clips have, and that at least `fewest` lack;
    sorted by kind, the most frequent first."""
    names: list[str] = []
    for kind in kinds:
        counts = Counter(tag for one in tags for tag in set(one.get(kind, ())))
        kept = [tag for tag, n in counts.items() if fewest <= n <= len(tags) - fewest]
        names += [f"{kind}: {tag}" for tag in sorted(kept, key=lambda tag: (-counts[tag], tag))]
    return names


def multi_hot(tags: Sequence[Mapping[str, Sequence[str]]], names: Sequence[str]) -> Float[np.ndarray, "clips tags"]:
    """1 where a clip has the tag of that name (see `tag_names`), else 0."""
    labels = np.zeros((len(tags), len(names)), np.float32)
    for row, one in enumerate(tags):
        for column, name in enumerate(names):
            kind, _, tag = name.partition(": ")
            labels[row, column] = tag in one.get(kind, ())
    return labels
