"""Scores to grids and back, for any tracks and metres (GETMusic, Lv et al. 2023, section 3.1).

Other than the published preprocessing (`getscore_official`), the chord of frame k stands in bar k, no event is lost,
groups that are no token are reduced to the nearest that is, and low bass notes are folded up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from orchestrion.representations.getscore import (
    CHORD_ROW,
    COLUMNS_PER_QUARTER,
    DURATIONS,
    KINDS,
    QUALITIES,
    ROWS,
    TRACKS,
    GetVocabulary,
    GridNote,
    duration_codes,
    read_notes,
)  # fmt: skip
from orchestrion.representations.getscore_ruler import Ruler
from orchestrion.representations.getscore_tracks import BASS, DRUMS, LEAD, Roles
from orchestrion.theory.chord_hmm import best_path, pitch_vectors
from orchestrion.theory.chords import INTERVALS, Chord
from orchestrion.theory.keys import ALL_KEYS, Key

if TYPE_CHECKING:
    from symusic.core import ScoreTick

LOWEST_BASS = 24  # C1: below it, moving a piece down to C major has gone too far
LARGEST_GROUP = 10  # pitches that are tried in all combinations; larger groups are thinned first
ACCENTS = (10, 4, 0, -6)  # of velocity: on the bar line, on quarters, on eighths, between


@dataclass(slots=True)
class Losses:
    """What a grid does not hold of its score, counted by track number.

    Attributes:
        reduced: groups written with fewer pitches, as the whole is no token.
        thinned: notes of the lead left out as a higher one begins with them.
        folded: bass notes moved up by octaves.
    """

    reduced: Counter[int] = field(default_factory=Counter)
    thinned: Counter[int] = field(default_factory=Counter)
    folded: Counter[int] = field(default_factory=Counter)

    def report(self) -> dict[str, dict[str, int]]:
        """Counts by name of track, without zeros."""
        every = {"reduced": self.reduced, "thinned": self.thinned, "folded": self.folded}
        named = {name: {TRACKS[t]: n for t, n in sorted(count.items()) if n} for name, count in every.items()}
        return {name: count for name, count in named.items() if count}


def home_shift(score: ScoreTick, indices: Iterable[int] | None = None) -> tuple[Key | None, int]:
    """The key of a score, and the semitones, −6 to 5, that bring it to C major or A minor.

    The scale that holds most of the music, by duration × velocity; of equal ones (relatives always are) the tonic that
    weighs most.

    Args:
        indices: tracks that count; all that have pitches by default.
    """
    histogram = np.zeros(12)
    for index in range(len(score.tracks)) if indices is None else indices:
        track = score.tracks[index]
        if not track.is_drum and len(track.notes):
            notes = track.notes.numpy()
            weight = notes["duration"].astype(float) * notes["velocity"]
            histogram += np.bincount(notes["pitch"] % 12, weights=weight, minlength=12)[:12]
    if not histogram.any():
        return None, 0
    fits = np.array([histogram[sorted(key.scale)].sum() for key in ALL_KEYS])
    best = [key for key, fit in zip(ALL_KEYS, fits, strict=True) if fit >= fits.max() * (1 - 1e-9)]
    key = max(best, key=lambda key: histogram[key.tonic])
    shift = (0 if key.mode == "major" else 9) - key.tonic
    return key, (shift + 6) % 12 - 6


def gather(
    score: ScoreTick,
    roles: Roles,
    ruler: Ruler,
    *,
    shift: int,
    indices: Iterable[int] | None = None,
    losses: Losses | None = None,
) -> list[GridNote]:
    """The notes of a score as groups that begin in one column of one track.

    Args:
        shift: semitones added to all but the drums.
        indices: tracks of the score to be read; all that have a role by default.
        losses: takes the counts of what is thinned and folded.
    """
    losses = Losses() if losses is None else losses
    read = set(range(len(score.tracks)) if indices is None else indices)
    groups = []
    for track in range(len(TRACKS)):
        playing = [index for index in roles.indices(track) if index in read and len(score.tracks[index].notes)]
        tables = [score.tracks[index].notes.numpy() for index in playing]
        if not tables:
            continue
        time, duration, pitch = (
            np.concatenate([table[name] for table in tables]) for name in ("time", "duration", "pitch")
        )
        column, length = ruler.column_of(time), ruler.columns_in(duration)
        pitch = pitch.astype(int) + (0 if track == DRUMS else shift)
        if track == BASS and (low := pitch < LOWEST_BASS).any():
            losses.folded[BASS] += int(low.sum())
            pitch = np.where(low, pitch + 12 * -(-(LOWEST_BASS - pitch) // 12), pitch)
        pitch = np.where(pitch > 127, pitch - 12, np.where(pitch < 0, pitch + 12, pitch))
        order = np.lexsort((pitch, column))
        starts = np.flatnonzero(np.diff(column[order], prepend=-1)).tolist()
        columns, pitches = column[order].tolist(), pitch[order].tolist()
        codes = duration_codes(length[order]).tolist()
        for start, stop in zip(starts, [*starts[1:], len(columns)], strict=True):
            tones = tuple(dict.fromkeys(pitches[start:stop]))
            chosen = start
            if track == LEAD:
                losses.thinned[LEAD] += len(tones) - 1
                tones, chosen = tones[-1:], stop - 1
            groups.append(GridNote(track, columns[start], tones, codes[chosen]))
    return groups


def nearest_group(pitches: tuple[int, ...], known: dict[tuple[int, ...], int]) -> tuple[int, ...] | None:
    """The largest part of a group that is a token; of equal ones, one with the lowest and the highest pitch. None:
    there is none."""
    if pitches in known:
        return pitches
    if len(pitches) > LARGEST_GROUP:
        middle = pitches[1:-1]
        pitches = (pitches[0], *middle[:: -(-len(middle) // (LARGEST_GROUP - 2))], pitches[-1])
    for size in range(len(pitches), 0, -1):
        parts = [part for part in combinations(pitches, size) if part in known]
        if parts:
            return max(parts, key=lambda part: (part[0] == pitches[0]) + (part[-1] == pitches[-1]))
    return None


def write_groups(grid: np.ndarray, groups: Iterable[GridNote], vocabulary: GetVocabulary, losses: Losses) -> None:
    """Writes groups into a grid, in place; what is no token becomes the nearest that is."""
    for group in groups:
        known = vocabulary.groups[group.track]
        token = known.get(group.pitches)
        if token is None:
            losses.reduced[group.track] += 1
            nearest = nearest_group(group.pitches, known)
            if nearest is None:
                continue
            token = known[nearest]
        grid[2 * group.track, group.column] = token
        grid[2 * group.track + 1, group.column] = max(group.duration, 1) - 1


def bar_chords(score: ScoreTick, ruler: Ruler, indices: Iterable[int], *, shift: int) -> Int[np.ndarray, " bars"]:
    """The chord of each bar by `theory.chord_hmm`, moved by `shift`; 0: none.

    Args:
        indices: tracks to listen to; drums are left out.
    """
    edges = ruler.ticks[ruler.bars]
    tables = [
        score.tracks[i].notes.numpy() for i in indices if not score.tracks[i].is_drum and len(score.tracks[i].notes)
    ]
    if not tables or len(edges) < 2:
        return np.zeros(max(len(edges) - 1, 0), int)
    time, duration, pitch = (
        np.concatenate([table[name] for table in tables]) for name in ("time", "duration", "pitch")
    )
    vectors = pitch_vectors(time, time + duration, pitch.astype(int) + shift, edges[1:-1])
    chords = best_path(vectors)
    return np.where(vectors.any(1), chords, 0)


def chord_state(chord: Chord) -> int:
    """A chord as `bar_chords` numbers it; a quality that it lacks becomes the one with the most tones in common."""
    if chord.root is None:
        return 0
    tones = set(INTERVALS[chord.quality])
    shared = [len(tones & set(INTERVALS[quality])) - len(set(INTERVALS[quality]) - tones) for quality in QUALITIES]
    kind = QUALITIES.index(chord.quality) if chord.quality in QUALITIES else int(np.argmax(shared))
    return 1 + len(KINDS) * chord.root + kind


def write_chords(grid: np.ndarray, chords: Sequence[int] | np.ndarray, ruler: Ruler, vocabulary: GetVocabulary) -> None:
    """Writes one chord a bar over all its columns, in place; bars without one get `<pad>`."""
    for bar, chord in enumerate(chords):
        cells = slice(ruler.bars[bar], ruler.bars[bar + 1])
        ids = vocabulary.chord_ids(*divmod(int(chord) - 1, len(KINDS))) if chord else (vocabulary.pad, vocabulary.pad)
        grid[CHORD_ROW, cells], grid[CHORD_ROW + 1, cells] = ids


def read_chords(grid: np.ndarray, ruler: Ruler, vocabulary: GetVocabulary) -> Int[np.ndarray, " bars"]:
    """The chord in the first column of each bar, as `bar_chords` numbers them."""
    first = ruler.bars[:-1]
    root, kind = grid[CHORD_ROW, first] - vocabulary.roots, grid[CHORD_ROW + 1, first] - vocabulary.kinds
    there = (root >= 0) & (root < 12) & (kind >= 0) & (kind < len(KINDS))
    return np.where(there, 1 + len(KINDS) * root + kind, 0)


def empty_grid(ruler: Ruler, vocabulary: GetVocabulary, tracks: Iterable[int]) -> np.ndarray:
    """[14, columns]: `<pad>` in the rows of `tracks` (6: chords), EMPTY in all others."""
    grid = np.full((ROWS, ruler.columns), vocabulary.empty)
    for track in tracks:
        grid[2 * track : 2 * track + 2] = vocabulary.pad
    return grid


def track_notes(
    grid: np.ndarray,
    track: int,
    ruler: Ruler,
    vocabulary: GetVocabulary,
    *,
    shift: int,
    level: float,
    span: tuple[int, int] | None = None,
) -> Int[np.ndarray, "notes 4"]:
    """The notes of one track of a grid: tick, length in ticks, MIDI pitch, velocity.

    A note ends at the latest where its pitch begins again, or where the span ends; the lead plays one note at a time.
    Velocities follow the metre around `level`.

    Args:
        shift: semitones that were added to the pitches.
        level: mean velocity.
        span: columns in which notes may begin; all by default.
    """
    first, last = (0, ruler.columns) if span is None else span
    step, end = ruler.tpq / COLUMNS_PER_QUARTER, round(float(ruler.ticks[last]))
    places = ruler.places()
    rows: list[list[int]] = []
    sounding: dict[int, list[int]] = {}
    for note in read_notes(grid[:, first:last], vocabulary):
        if note.track != track:
            continue
        start = round(float(ruler.ticks[first + note.column]))
        stop = min(round(start + DURATIONS[note.duration] * step), end)
        velocity = int(np.clip(round(level + _accent(int(places[first + note.column, 0]))), 1, 127))
        for pitch in (tone if track == DRUMS else tone - shift for tone in note.pitches):
            if not 0 <= pitch <= 127:
                continue
            for before in list(sounding) if track == LEAD else [pitch]:
                if (earlier := sounding.pop(before, None)) is not None:
                    earlier[1] = min(earlier[1], start - earlier[0])
            sounding[pitch] = [start, max(stop - start, 1), pitch, velocity]
            rows.append(sounding[pitch])
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def _accent(place: int) -> int:
    if place == 0:
        return ACCENTS[0]
    return ACCENTS[1] if place % 4 == 0 else ACCENTS[2] if place % 2 == 0 else ACCENTS[3]
