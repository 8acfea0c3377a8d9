"""MMA, Musical MIDI Accompaniment (a build-time program): a chord chart and a groove → accompaniment tracks on the
grid."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import symusic
from symusic.core import ScoreTick, TrackTick

from orchestrion.data.factory.grooves import Groove
from orchestrion.errors import MissingDependencyError
from orchestrion.theory.chords import Chord, ChordSpan

STEPS = 12  # grid steps a quarter: sixteenths and triplets
_MMA_QUALITIES = {
    "maj": "", "min": "m", "maj7": "M7", "min7": "m7", "hdim7": "m7b5", "maj6": "6", "min6": "m6", "sus4": "sus4",
    "sus2": "sus2", "minmaj7": "mM7", "7sus4": "7sus", "maj9": "M9", "min9": "m9", "aug7": "aug7",
}  # fmt: skip


@dataclass(slots=True)
class Line:
    """One accompaniment track on the grid: (onset step, duration in steps, pitch, velocity), sorted."""

    name: str
    program: int
    drums: bool
    notes: list[tuple[int, int, int, int]] = field(default_factory=list)


def mma_program() -> str:
    """Path of MMA.

    Raises:
        MissingDependencyError: it is not installed.
    """
    found = shutil.which("mma")
    if found is None:
        raise MissingDependencyError(
            "Building the corpus needs the program MMA, which is not on the path; install it (Debian and Ubuntu: "
            "apt install mma) or use the compact corpus that comes with the package."
        )
    return found


@lru_cache(maxsize=1)
def library_folder() -> Path:
    """MMA's style library.

    Raises:
        MissingDependencyError: it is not where MMA keeps it.
    """
    for folder in (Path("/usr/share/mma/lib"), Path("/usr/local/share/mma/lib"), Path(mma_program()).parent / "lib"):
        if folder.is_dir():
            return folder
    raise MissingDependencyError("MMA's style library is not in /usr/share/mma/lib; install MMA with its library.")


@lru_cache(maxsize=256)
def variants(groove: Groove) -> frozenset[str]:
    """All groove names of the groove's file: its "Sus", "Plus" and "Fill" companions among them."""
    text = (library_folder() / f"{groove.library}.mma").read_text(encoding="latin-1")
    return frozenset(re.findall(r"^\s*DefGroove\s+(\S+)", text, re.MULTILINE | re.IGNORECASE))


def chart(groove: Groove, chords: Sequence[ChordSpan], bars: int, *, changes: dict[int, str], seed: int) -> str:
    """MMA's source text. `changes` names the groove to take at a bar; timing is exact, accents and patterns are
    MMA's."""
    bar = 4.0 * groove.metre[0] / groove.metre[1]
    lines = [f"RndSeed {seed}", "Tempo 120"]
    for index in range(bars):
        name = changes.get(index)
        if name is not None:
            lines += [
                f"Groove {groove.library}:{name}",
                "AllTracks RTime 0",
                "AllTracks RVolume 0",
                "AllTracks RSkip 0",
            ]
        cells, last = [], None
        for beat in range(groove.beats):
            time = index * bar + beat * bar / groove.beats
            chord = chord_at(chords, time + 1e-3)
            cells.append("/" if chord == last else spell(chord))
            last = chord
        lines.append(f"{index + 1} " + " ".join(cells))
    return "\n".join(lines) + "\n"


def chord_at(chords: Sequence[ChordSpan], time: float) -> Chord:
    """The chord that sounds at a time in quarters; the last one after the end."""
    return next((s.chord for s in chords if s.start <= time < s.end), chords[-1].chord)


def spell(chord: Chord) -> str:
    """A chord as MMA writes it; "z" is silence."""
    if chord.root is None:
        return "z"
    root = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")[chord.root]
    return root + _MMA_QUALITIES.get(chord.quality, chord.quality)


def run_mma(source: str, *, timeout: float = 60.0) -> ScoreTick:
    """Compiles a chart.

    Raises:
        ValueError: MMA refuses it.
    """
    program = mma_program()
    with tempfile.TemporaryDirectory() as folder:
        text, midi = Path(folder, "chart.mma"), Path(folder, "chart.mid")
        text.write_text(source)
        done = subprocess.run(
            [program, str(text), "-f", str(midi)], capture_output=True, text=True, timeout=timeout, check=False
        )
        if not midi.is_file():
            raise ValueError(f"MMA: {(done.stdout + done.stderr).strip()[-200:]}")
        return symusic.Score(str(midi))  # type: ignore[return-value]  # the stub names the factory


def accompany(
    groove: Groove, chords: Sequence[ChordSpan], bars: int, *, changes: dict[int, str] | None = None, seed: int = 0
) -> list[Line]:
    """Accompaniment of `bars` bars: drums merged to one line, bass and walking bass to one, at most three other lines.

    Raises:
        MissingDependencyError: MMA is not installed.
        ValueError: MMA refuses the chart or plays nothing.
    """
    score = run_mma(chart(groove, chords, bars, changes={0: groove.name, **(changes or {})}, seed=seed))
    bar = STEPS * 4 * groove.metre[0] // groove.metre[1]
    scale = bar / (groove.beats * score.tpq)
    end = bars * bar
    merged: dict[tuple[str, int], Line] = {}
    for track in score.tracks:
        if not len(track.notes):
            continue
        kind = "drums" if track.is_drum else _kind(track)
        program = 0 if track.is_drum else track.program
        line = merged.setdefault(
            (kind, -1 if kind in ("drums", "bass") else program), Line(kind, program, track.is_drum)
        )
        columns = track.notes.numpy()
        start, spread = -1e9, _SPREAD.get(kind, 10) * score.tpq / 192
        for time, duration, pitch, velocity in sorted(
            zip(*(columns[c].tolist() for c in ("time", "duration", "pitch", "velocity")), strict=True)
        ):
            if time - start > spread:
                start = time
            onset = _snap(start * scale)
            if onset < end:
                length = 1 if track.is_drum else max(min(round(duration * scale), end - onset), 1)
                line.notes.append((onset, length, pitch, velocity))
    lines = [_tidy(line) for line in merged.values()]
    basses = [x for x in lines if x.name == "bass"]
    others = sorted((x for x in lines if x.name not in ("bass", "drums")), key=lambda x: -len(x.notes))[:3]
    drums = [x for x in lines if x.drums]
    if not basses and not others:
        raise ValueError(f"groove {groove.name} plays nothing but drums")
    return basses + others + drums


_SPREAD = {"chords": 30, "pad": 30}  # of 192 ticks a quarter: strummed notes that begin within this time are one chord


def _snap(step: float) -> int:
    """The nearest grid step on which a sixteenth, an eighth triplet or its half can begin."""
    beat, place = divmod(step, STEPS)
    near = min((0, 2, 3, 4, 6, 8, 9, 10, 12), key=lambda s: abs(s - place))
    return int(beat) * STEPS + near


def _kind(track: TrackTick) -> str:
    name = track.name.lower()
    notes = track.notes.numpy()
    if name.startswith("walk") or (name.startswith("bass") and notes["pitch"].mean() < 54):
        return "bass"
    if name.startswith(("arpeggio", "scale", "bass")):
        return "line"
    return "pad" if notes["duration"].mean() > 1.6 * 192 else "chords"


def _tidy(line: Line) -> Line:
    """Sorted, one note per onset and pitch (the longest), no note over the next of the same pitch."""
    best: dict[tuple[int, int], tuple[int, int]] = {}
    for onset, duration, pitch, velocity in line.notes:
        old = best.get((onset, pitch), (0, 0))
        best[onset, pitch] = (max(duration, old[0]), max(velocity, old[1]))
    following: dict[int, int] = {}
    notes = []
    for (onset, pitch), (duration, velocity) in sorted(best.items(), reverse=True):
        if pitch in following:
            duration = max(min(duration, following[pitch] - onset), 1)
        following[pitch] = onset
        notes.append((onset, duration, pitch, velocity))
    line.notes = notes[::-1]
    return line


def swing(step: float) -> float:
    """A time in steps, moved so that the second eighth of every quarter falls on its last triplet."""
    beat, place = divmod(step, STEPS)
    half = STEPS / 2
    moved = place * 4 / 3 if place <= half else 8 + (place - half) * 2 / 3
    return beat * STEPS + moved
