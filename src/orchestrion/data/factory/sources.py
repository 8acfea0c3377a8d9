"""The tunes of music21's corpus that may be arranged, read where the package is installed; with source and licence."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from orchestrion.data.factory.abc import AbcTune, Note, Strain, parse_tune, split_tunes
from orchestrion.errors import MissingDependencyError
from orchestrion.theory.keys import Key

PUBLIC_DOMAIN = "public domain"


@dataclass(frozen=True, slots=True)
class Collection:
    """A folder of tunes: what it was transcribed from, on what terms, and whether arrangements may be shipped."""

    folder: str
    source: str
    licence: str
    redistributable: bool


COLLECTIONS = (
    Collection("ryansMammoth", "Ryan's Mammoth Collection, Boston 1883", PUBLIC_DOMAIN, True),
    Collection("airdsAirs", "James Aird, Selection of Scotch, English and Irish Airs, 1778–1801", PUBLIC_DOMAIN, True),
    Collection("oneills1850", "Francis O'Neill, Music of Ireland, Chicago 1903", PUBLIC_DOMAIN, True),
    Collection("miscFolk", "Northumbrian Minstrelsy, 1882, and American fife music", PUBLIC_DOMAIN, True),
    Collection("essenFolksong", "Essen Folksong Collection (Schaffrath)", "non-commercial by permission", False),
)  # fmt: skip


@dataclass(slots=True)
class Tune:
    """A melody to arrange. `strains` have whole bars; those that end on the tonic are in `closed`."""

    id: str
    title: str
    rhythm: str
    key: Key
    metre: tuple[int, int]
    strains: list[Strain]
    closed: list[bool]
    collection: Collection


def music21_corpus() -> Path:
    """The folder of scores inside the installed music21 package, which is not imported.

    Raises:
        MissingDependencyError: music21 is not installed, or without its corpus.
    """
    spec = importlib.util.find_spec("music21")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(
            "The corpus is made from the scores that music21 ships; install it: pip install music21."
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / "corpus"
    if not (folder / "oneills1850").is_dir():
        raise MissingDependencyError(
            "The installed music21 comes without its corpus of scores; install the full package."
        )
    return folder


def read_tunes(*, redistributable_only: bool = False, folders: Sequence[str] | None = None) -> Iterator[Tune]:
    """All tunes that can be arranged, in the order of `COLLECTIONS`, files and numbers; or those of some `folders`."""
    root = music21_corpus()
    for collection in COLLECTIONS:
        if (redistributable_only and not collection.redistributable) or (folders and collection.folder not in folders):
            continue
        seen: dict[str, int] = {}
        for path in sorted((root / collection.folder).glob("*.abc")):
            if collection.folder == "essenFolksong" and path.stem.startswith("test"):
                continue
            for text in split_tunes(path.read_text(encoding="latin-1")):
                try:
                    parsed = parse_tune(text)
                except ValueError:
                    continue
                stem = (
                    f"{collection.folder}/{path.stem}"
                    if collection.folder != "ryansMammoth"
                    else f"ryansMammoth/{path.stem}"
                )
                name = f"{stem}-{parsed.number}" if collection.folder != "ryansMammoth" else stem
                seen[name] = seen.get(name, 0) + 1
                if seen[name] > 1:
                    name = f"{name}-{seen[name]}"
                tune = to_tune(parsed, name, collection)
                if tune is not None:
                    yield tune


def to_tune(parsed: AbcTune, name: str, collection: Collection) -> Tune | None:
    """The tune, if at least one strain of 4 to 16 even bars ends on its tonic; else None."""
    if collection.folder == "essenFolksong":
        key = _profile_key(parsed)
    else:
        key = Key(parsed.tonic, "minor" if parsed.mode in ("m", "dor", "phr") else "major")
    if key is None:
        return None
    if parsed.bar not in (Fraction(2), Fraction(3), Fraction(4), Fraction(3, 2), Fraction(9, 2), Fraction(6)):
        return None
    strains, closed = [], []
    seen: set[tuple] = set()
    for strain in parsed.strains:
        signature = tuple((n.onset, n.duration, n.pitch) for n in strain.notes if n.onset >= 0)
        if not 4 <= strain.bars <= 16 or strain.bars % 2 or signature in seen or len(signature) < strain.bars:
            continue
        seen.add(signature)
        strains.append(strain)
        closed.append(strain.notes[-1].pitch % 12 == key.tonic)
    if not any(closed) or not _fits(key, strains):
        return None
    return Tune(name, _tidy(parsed.title), parsed.rhythm, key, parsed.metre, strains, closed, collection)


def _tidy(title: str) -> str:
    title = title.split(" -- ")[0].strip(" .")
    return title.title() if title.isupper() else title


def _histogram(strains: list[Strain]) -> list[float]:
    weights = [0.0] * 12
    for strain in strains:
        for note in strain.notes:
            weights[note.pitch % 12] += float(note.duration)
    return weights


def _fits(key: Key, strains: list[Strain]) -> bool:
    """Do at least nine tenths of the melody lie in the key, its usual alterations (raised sixth and seventh)
    included?"""
    allowed = set(key.scale) | (
        {(key.tonic + 9) % 12, (key.tonic + 11) % 12} if key.mode == "minor" else {(key.tonic + 10) % 12}
    )
    weights = _histogram(strains)
    inside = sum(weights[p] for p in allowed)
    third = (key.tonic + (3 if key.mode == "minor" else 4)) % 12
    other = (key.tonic + (4 if key.mode == "minor" else 3)) % 12
    return inside >= 0.9 * sum(weights) and weights[third] > 2 * weights[other]


def _profile_key(parsed: AbcTune) -> Key | None:
    """Key by the last note and the third above it: the collection writes signatures without modes."""
    tonic = parsed.strains[-1].notes[-1].pitch % 12
    weights = _histogram(parsed.strains)
    major, minor = weights[(tonic + 4) % 12], weights[(tonic + 3) % 12]
    if max(major, minor) <= 2 * min(major, minor) or max(major, minor) == 0:
        return None
    return Key(tonic, "major" if major > minor else "minor")


def minorise(strain: Strain, key: Key) -> Strain:
    """The strain in the parallel minor: third and sixth lowered, the seventh too unless it leads up to the tonic, the
    sixth left where it leads up to a raised seventh (melodic minor)."""
    notes = strain.notes
    found: list[Note] = []
    for index, note in enumerate(notes):
        degree = (note.pitch - key.tonic) % 12
        following = notes[index + 1].pitch - note.pitch if index + 1 < len(notes) else 0
        before = note.pitch - notes[index - 1].pitch if index else 0
        pitch = note.pitch
        if degree == 4 or (degree == 11 and not (following == 1 or (before == -1 and following == 1))):
            pitch -= 1
        elif degree == 9:
            leads = following == 2 and index + 2 < len(notes) and (notes[index + 2].pitch - key.tonic) % 12 == 0
            pitch -= 0 if leads else 1
        found.append(Note(note.onset, note.duration, pitch))
    return Strain(strain.bars, found, strain.repeated, [], strain.lines)
