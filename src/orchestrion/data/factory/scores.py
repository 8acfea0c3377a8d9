"""Whole scores of music21's corpus as pieces: chorales in several instrumentations, and other public-domain works as
they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import symusic
from symusic.core import TrackTick

from orchestrion.data.factory.harmony_labels import label_chords
from orchestrion.data.factory.musicxml import PlainNote, read_musicxml
from orchestrion.data.factory.sources import PUBLIC_DOMAIN, music21_corpus
from orchestrion.data.piece import Piece, Section
from orchestrion.theory.chords import ChordSpan
from orchestrion.theory.keys import find_key

TPQ = 480
STEP = TPQ // 12
CHORALE_SOURCE = "J. S. Bach, four-part chorale; encoding in the music21 corpus"
ENSEMBLES = {  # label → genre and programs of the four voices
    "choir": ("chorale", (52, 52, 52, 52)),
    "organ": ("chorale", (19, 19, 19, 19)),
    "strings": ("classical", (40, 40, 41, 42)),
    "brass": ("classical", (56, 56, 60, 57)),
    "woodwinds": ("classical", (73, 68, 71, 70)),
    "saxophones": ("classical", (64, 65, 66, 67)),
    "string ensemble": ("chorale", (48, 48, 48, 43)),
    "piano": ("chorale", (0, 0, 0, 0)),
    "recorders and viols": ("baroque", (74, 74, 41, 42)),
}
_VOICES = ("melody", "alto", "tenor", "bass")
WORKS = (
    "beethoven", "mozart", "haydn", "schumann_clara", "schumann_robert", "joplin", "chopin", "schubert", "handel",
    "corelli", "cpebach", "weber", "verdi", "liliuokalani", "johnson_j_r", "monteverdi", "luca", "ciconia",
)  # fmt: skip


def chorale_files() -> list[Path]:
    """Bach's chorales in the corpus."""
    return sorted((music21_corpus() / "bach").glob("*.mxl"))


def work_files() -> Iterator[Path]:
    """The other public-domain works."""
    root = music21_corpus()
    for folder in WORKS:
        yield from sorted(p for p in (root / folder).rglob("*") if p.suffix in (".mxl", ".xml", ".musicxml"))


def chorale_pieces(path: Path, *, versions: int = 2) -> list[Piece]:
    """A four-part chorale in several instrumentations and keys; `split` is left open.

    Raises:
        ValueError: it has not four parts, changes metre, or does not end in the key that is heard.
    """
    parsed = read_musicxml(path)
    if len(parsed.parts) != 4:
        raise ValueError(f"it has {len(parsed.parts)} parts")
    if len(parsed.metres) != 1 or parsed.metres[0][1:] not in ((4, 4), (3, 4)):
        raise ValueError("its metre changes or is not 4/4 or 3/4")
    metre = parsed.metres[0][1:]
    bar = Fraction(4 * metre[0], metre[1])
    bars = int(-(-parsed.end // bar))
    if not 6 <= bars <= 40:
        raise ValueError(f"it has {bars} bars")
    for part in parsed.parts:  # the final chord is held to the bar line: the missing beats are those of the pick-up
        part.notes = [(o, bars * bar - o if o + d == parsed.end else d, p) for o, d, p in part.notes]
    chords = label_chords([p.notes for p in parsed.parts], metre, bars)
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(path.stem.encode()).digest()[:4], "big"))
    labels = list(ENSEMBLES)
    chosen = rng.choice(len(labels), versions, replace=False)
    pieces = []
    for version in range(versions):
        label = labels[int(chosen[version])]
        genre, programs = ENSEMBLES[label]
        shift = 0 if version == 0 else int(rng.integers(-5, 6))
        tempo = int(rng.integers(60, 97))
        score: Any = symusic.Score(TPQ)
        score.tempos.append(symusic.Tempo(0, float(tempo)))
        score.time_signatures.append(symusic.TimeSignature(0, *metre))
        for voice, program, part in zip(_VOICES, programs, parsed.parts, strict=True):
            score.tracks.append(
                _track(voice, program, part.notes, shift, int(bars * bar * 12), 84 if voice == "melody" else 72)
            )
        key = find_key(score)
        final = parsed.parts[-1].notes[-1][2] + shift
        if key is None or final % 12 != key.tonic:
            raise ValueError(f"it does not end on the tonic of {key}")
        score.key_signatures.append(symusic.KeySignature(0, key.fifths, 0 if key.mode == "major" else 1))
        mood = ["solemn", "hopeful" if key.mode == "major" else "melancholic"]
        pieces.append(
            Piece(
                id=f"bach/{path.stem}#{version}",
                title=parsed.title,
                score=score,
                chords=[ChordSpan(s.start, s.end, s.chord.transpose(shift)) for s in chords],
                key=key,
                metre=metre,
                tempo=float(tempo),
                sections=[Section("A", 0, bars)],
                melody=0,
                tags={"genre": [genre], "groove": [f"chorale, {label}"], "mood": mood, "form": ["A"]},
                source=CHORALE_SOURCE,
                licence=PUBLIC_DOMAIN,
            )
        )
    return pieces


def work_piece(path: Path) -> Piece:
    """A work as it is written, every part a track; `split` is left open.

    Raises:
        ValueError: it cannot be read, has no metre, or is longer than 20,000 notes.
    """
    parsed = read_musicxml(path)
    if not parsed.metres:
        raise ValueError("it has no metre")
    if _reserved(parsed.rights):
        raise ValueError(f"its encoding is not free: {parsed.rights}")
    if sum(len(part.notes) for part in parsed.parts) > 20_000:
        raise ValueError("it has more than 20,000 notes")
    score: Any = symusic.Score(TPQ)
    score.tempos.append(symusic.Tempo(0, parsed.tempo or 96.0))
    for at, numerator, denominator in parsed.metres:
        score.time_signatures.append(symusic.TimeSignature(int(at * TPQ), numerator, denominator))
    end = int(parsed.end * 12) + 1
    for part in parsed.parts:
        score.tracks.append(_track(part.name or "part", _program(part.name), part.notes, 0, end, 76))
    key = find_key(score)
    if key is not None:
        score.key_signatures.append(symusic.KeySignature(0, key.fifths, 0 if key.mode == "major" else 1))
    sacred = path.parent.name in ("luca", "ciconia", "monteverdi")
    return Piece(
        id=f"{path.parent.name}/{path.stem}",
        title=parsed.title,
        score=score,
        key=key,
        metre=parsed.metres[0][1:],
        tempo=parsed.tempo or 96.0,
        melody=0,
        tags={"genre": ["chorale" if sacred else "classical"], "groove": ["choir" if sacred else "score"]},
        source=f"music21 corpus: {path.parent.name}/{path.name}",
        licence=f"public-domain work; encoding: {parsed.rights or 'free'}",
    )


def _reserved(rights: str) -> bool:
    words = rights.lower()
    free = any(word in words for word in ("public domain", "creative commons", "cc0", "cc-by", "freely distributed"))
    return not free and any(word in words for word in ("©", "copyright", "reserved", "edizion", "edlz"))


_PART_NAMES = (
    ("violonc", 42), ("cello", 42), ("viola", 41), ("violin", 40), ("clarinet", 71), ("piano", 0), ("flute", 73),
    ("oboe", 68), ("bassoon", 70), ("horn", 60), ("trumpet", 56), ("timpani", 47), ("contrabass", 43),
    ("bass", 52), ("organ", 19),
)  # fmt: skip


def _program(name: str) -> int:
    """A program for a part's name in a score."""
    words = name.lower()
    return next((program for word, program in _PART_NAMES if word in words), 52 if words else 0)


def _track(name: str, program: int, notes: list[PlainNote], shift: int, end: int, velocity: int) -> TrackTick:
    """Notes on the grid of a twelfth of a quarter, cut at `end`."""
    track: Any = symusic.Track(name, program, False)
    for onset, length, pitch in notes:
        start = round(onset * 12)
        stop = min(max(round((onset + length) * 12), start + 1), end)
        if start < stop:
            track.notes.append(symusic.Note(start * STEP, (stop - start) * STEP, pitch + shift, velocity))
    return track
