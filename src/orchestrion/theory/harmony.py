"""Chords for a bare melody: the best path through functional harmony, found by dynamic programming.

The melody is cut into slots (half bars, bars, beats: the harmonic rhythm). A chord fits a slot by the notes it
explains, each weighted by its length and metrical stress; passing and neighbour notes cost little, foreign notes on
strong beats much. Between slots, progressions cost by function (tonic – subdominant – dominant – tonic; Riemann 1893,
Piston 1941 chapter 2's table of usual root progressions); phrases end with cadences and the last one with dominant –
tonic. Viterbi (1967) finds the cheapest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from orchestrion.theory.chords import Chord, ChordSpan
from orchestrion.theory.keys import Key


@dataclass(frozen=True, slots=True)
class MelodyNote:
    """A note to be harmonised; times in quarters."""

    onset: float
    duration: float
    pitch: int


@dataclass(frozen=True, slots=True)
class Degree:
    """A chord of a key: semitones of its root above the tonic, quality, function, and the cost of using it at all."""

    name: str
    root: int
    quality: str
    function: str  # T tonic, S subdominant, D dominant, or the name of the degree that an applied dominant leads to
    cost: float


MAJOR = (
    Degree("I", 0, "maj", "T", 0.0), Degree("ii", 2, "min", "S", 0.35), Degree("iii", 4, "min", "T", 0.9),
    Degree("IV", 5, "maj", "S", 0.1), Degree("V", 7, "maj", "D", 0.1), Degree("V7", 7, "7", "D", 0.15),
    Degree("vi", 9, "min", "T", 0.35), Degree("V7/V", 2, "7", "V", 0.9), Degree("V7/vi", 4, "7", "vi", 1.1),
    Degree("V7/ii", 9, "7", "ii", 1.1), Degree("V7/IV", 0, "7", "IV", 1.1), Degree("bVII", 10, "maj", "S", 1.2),
)  # fmt: skip
MINOR = (
    Degree("i", 0, "min", "T", 0.0), Degree("iv", 5, "min", "S", 0.15), Degree("V", 7, "maj", "D", 0.15),
    Degree("V7", 7, "7", "D", 0.2), Degree("v", 7, "min", "D", 0.5), Degree("VI", 8, "maj", "S", 0.4),
    Degree("III", 3, "maj", "T", 0.5), Degree("VII", 10, "maj", "D", 0.4), Degree("iidim", 2, "dim", "S", 0.8),
    Degree("IV", 5, "maj", "S", 0.8), Degree("V7/III", 10, "7", "III", 0.9), Degree("V7/iv", 0, "7", "iv", 1.2),
)  # fmt: skip

# Cost of going from one function to another; the same chord again costs nothing extra.
_FUNCTIONS = {
    ("T", "T"): 0.35, ("T", "S"): 0.05, ("T", "D"): 0.1, ("S", "T"): 0.3, ("S", "S"): 0.35, ("S", "D"): 0.0,
    ("D", "T"): 0.0, ("D", "S"): 1.2, ("D", "D"): 0.25,
}  # fmt: skip
FIT, FOREIGN, CHANGE, OFF_BEAT_CHANGE, APPLIED = 1.0, 1.5, 0.14, 0.3, 0.15
CADENCE = 2.0


def beat_length(metre: tuple[int, int]) -> float:
    """Quarters in a beat of a metre: dotted values in compound metres."""
    numerator, denominator = metre
    return 12.0 / denominator if denominator >= 8 and numerator % 3 == 0 and numerator > 3 else 4.0 / denominator


def stress(onset: float, metre: tuple[int, int]) -> float:
    """Metrical weight of a time in a bar: 1 on the bar line, 0.8 mid-bar in duple metres, 0.6 on beats, 0.3 between
    them."""
    bar, beat = 4.0 * metre[0] / metre[1], beat_length(metre)
    position = onset % bar
    if _multiple(position, bar):
        return 1.0
    beats = round(bar / beat)
    if beats % 2 == 0 and _multiple(position, bar / 2):
        return 0.8
    return 0.6 if _multiple(position, beat) else 0.3


def _multiple(value: float, unit: float) -> bool:
    return abs(value / unit - round(value / unit)) < 1e-6


def harmonic_rhythm(metre: tuple[int, int]) -> float:
    """Quarters of a slot: half bars in metres of an even number of beats and at least three quarters, else bars."""
    bar, beat = 4.0 * metre[0] / metre[1], beat_length(metre)
    even = round(bar / beat) % 2 == 0
    return bar / 2 if even and bar >= 3 else bar


def harmonise(
    melody: Sequence[MelodyNote],
    key: Key,
    metre: tuple[int, int],
    *,
    bars: int | None = None,
    phrase_bars: Iterable[int] | None = None,
    final: bool = True,
    slot: float | None = None,
    colour: float = 0.0,
    taste: Mapping[str, float] | None = None,
    movement: float = 0.0,
) -> list[ChordSpan]:
    """Chords for a melody whose first bar line is at 0; notes before it are a pick-up and bear no chord.

    Args:
        bars: length; by default the bars that the melody touches.
        phrase_bars: 0-based bars in which phrases end; by default every fourth.
        final: end with dominant and tonic.
        slot: shortest chord in quarters; by default `harmonic_rhythm`.
        taste: degree name (those of `MAJOR` and `MINOR`) → cost added to using it in a slot; makes other harmonies.
        colour: 0 keeps triads and dominant sevenths; up to 1, more chords become sevenths, as in jazz.
        movement: cost of keeping a chord over a bar line; 0.2 to 0.6 make the harmony move more than folk players
            would.

    Returns:
        Spans that cover the bars without gaps; equal neighbours are one span.

    Raises:
        ValueError: the melody has no note after its first bar line.
    """
    sounding = [note for note in melody if note.onset + note.duration > 1e-9]
    if not sounding:
        raise ValueError("a melody without notes cannot be harmonised")
    bar = 4.0 * metre[0] / metre[1]
    slot = slot or harmonic_rhythm(metre)
    if bars is None:
        bars = int(np.ceil(max(n.onset + n.duration for n in sounding) / bar - 1e-6))
    degrees = MAJOR if key.mode == "major" else MINOR
    per_bar = max(round(bar / slot), 1)
    count = bars * per_bar
    cost = _emissions(sounding, key, metre, slot, count, degrees)
    ends = {b for b in (range(3, bars, 4) if phrase_bars is None else phrase_bars) if 0 <= b < bars}
    if taste:
        cost += np.array([taste.get(d.name, 0.0) for d in degrees])[None]
    _shape_cadences(cost, degrees, ends, per_bar, bars, final, key.mode)
    path = _viterbi(cost, degrees, per_bar, movement)
    spans: list[ChordSpan] = []
    for index, state in enumerate(path):
        degree = degrees[state]
        quality = _colour(degree, colour, key.mode)
        chord = Chord((key.tonic + degree.root) % 12, quality)
        start, end = index * slot, min((index + 1) * slot, bars * bar)
        if spans and spans[-1].chord == chord:
            spans[-1] = ChordSpan(spans[-1].start, end, chord)
        else:
            spans.append(ChordSpan(start, end, chord))
    return spans


def _colour(degree: Degree, colour: float, mode: str) -> str:
    """Quality of a degree at a level of colour: sevenths on dominants first, then on minor chords, then on the
    tonic."""
    if degree.quality in ("7", "dim") and colour > 0.3 and degree.quality == "dim":
        return "hdim7"
    if colour > 0.3 and degree.name == "V":
        return "7"
    if colour > 0.5 and degree.quality == "min" and not (mode == "minor" and degree.name == "i" and colour < 0.8):
        return "min7"
    if colour > 0.7 and degree.quality == "maj" and degree.name in ("I", "IV", "III", "VI"):
        return "maj7" if degree.name != "I" or colour > 0.9 else "maj6"
    return degree.quality


def _weights(melody: Sequence[MelodyNote], metre: tuple[int, int]) -> list[tuple[MelodyNote, float, float]]:
    """Each note with the weight it has as a chord tone and as a foreign note; stepwise ornaments weigh less as
    foreign."""
    notes = sorted(melody, key=lambda n: n.onset)
    found = []
    for index, note in enumerate(notes):
        accent = stress(note.onset, metre)
        weight = accent * min(note.duration, 2.0) ** 0.7
        before = notes[index - 1] if index else None
        after = notes[index + 1] if index + 1 < len(notes) else None
        leaves_by_step = after is not None and 0 < abs(after.pitch - note.pitch) <= 2
        comes_by_step = before is not None and 0 < abs(before.pitch - note.pitch) <= 2
        foreign = weight
        if leaves_by_step and comes_by_step and accent < 0.8:
            foreign *= 0.25
        elif leaves_by_step and accent < 0.8:
            foreign *= 0.5
        elif leaves_by_step and comes_by_step:
            foreign *= 0.8
        found.append((note, weight, foreign))
    return found


def _emissions(
    melody: Sequence[MelodyNote], key: Key, metre: tuple[int, int], slot: float, count: int, degrees: Sequence[Degree]
) -> np.ndarray:
    """[count, degrees] cost of each degree in each slot."""
    tones = np.zeros((len(degrees), 12))
    for row, degree in enumerate(degrees):
        classes = Chord((key.tonic + degree.root) % 12, degree.quality).pitch_classes
        for pitch_class in classes:
            interval = (pitch_class - key.tonic - degree.root) % 12
            tones[row, pitch_class] = 0.7 if interval in (9, 10) else 1.0  # a seventh explains a note less well
    gain = np.zeros((count, 12))
    loss = np.zeros((count, 12))
    for note, weight, foreign in _weights(melody, metre):
        first = max(int(note.onset / slot + 1e-6), 0)
        last = min(int(np.ceil((note.onset + note.duration) / slot - 1e-6)), count)
        for index in range(first, last):
            inside = min(note.onset + note.duration, (index + 1) * slot) - max(note.onset, index * slot)
            if inside <= 1e-9:
                continue
            share = (inside / note.duration) ** 0.7
            held = 1.0 if note.onset >= index * slot - 1e-6 else 0.9
            gain[index, note.pitch % 12] += weight * share * held
            loss[index, note.pitch % 12] += foreign * share * held
    cost = FOREIGN * (loss @ (1.0 - np.minimum(tones * 10, 1.0)).T) - FIT * (gain @ tones.T)
    cost += np.array([d.cost for d in degrees])[None]
    return cost


def _shape_cadences(
    cost: np.ndarray, degrees: Sequence[Degree], ends: set[int], per_bar: int, bars: int, final: bool, mode: str
) -> None:
    """Rewards half cadences (dominant) and tonics at phrase ends, and asks for dominant – tonic at the very end."""
    names = [d.name for d in degrees]
    tonic = names.index("I" if mode == "major" else "i")
    dominants = [names.index("V"), names.index("V7")]
    for end in ends:
        last = (end + 1) * per_bar - 1
        first = end * per_bar
        stable = [tonic, dominants[0]] + ([names.index("III")] if mode == "minor" else [])
        unstable = [i for i in range(len(degrees)) if i not in stable]
        cost[last, unstable] += 0.8
        cost[first : last + 1, [i for i, d in enumerate(degrees) if d.function not in "TSD"]] += 0.8
    if final:
        last = bars * per_bar - 1
        others = [i for i in range(len(degrees)) if i != tonic]
        cost[last, others] += 50.0
        if last >= per_bar:
            cost[last - per_bar : last, dominants] -= 0.35 * CADENCE / per_bar


@lru_cache(maxsize=4)
def _transitions(degrees: tuple[Degree, ...]) -> np.ndarray:
    """[from, to] cost of every progression."""
    size = len(degrees)
    table = np.zeros((size, size))
    for a, first in enumerate(degrees):
        for b, second in enumerate(degrees):
            if a == b:
                continue
            target = first.function if first.function not in "TSD" else None
            if target is not None:  # an applied dominant goes where it points
                table[a, b] = APPLIED if second.name.rstrip("7") == target else 3.0
            elif second.function not in "TSD":
                table[a, b] = 0.3
            else:
                table[a, b] = _FUNCTIONS[first.function, second.function]
                falling_fifth = (first.root - second.root) % 12 == 7
                table[a, b] -= 0.12 if falling_fifth else 0.0
            if first.root == second.root:
                table[a, b] = 0.05 if second.quality == "7" else 0.6
            table[a, b] += CHANGE
    return table


def _viterbi(cost: np.ndarray, degrees: tuple[Degree, ...], per_bar: int, movement: float) -> list[int]:
    table = _transitions(degrees)
    early = table + movement * np.eye(len(degrees))
    late = table + OFF_BEAT_CHANGE * (1 - np.eye(len(degrees)))
    count, size = cost.shape
    best = cost[0].copy()
    best[[i for i, d in enumerate(degrees) if d.function not in "TSD"]] += 1.0
    best[[i for i, d in enumerate(degrees) if d.function != "T"]] += 0.3
    back = np.zeros((count, size), dtype=int)
    for index in range(1, count):
        total = best[:, None] + (early if index % per_bar == 0 else late)
        back[index] = np.argmin(total, axis=0)
        best = total[back[index], np.arange(size)] + cost[index]
    path = [int(np.argmin(best))]
    for index in range(count - 1, 0, -1):
        path.append(int(back[index, path[-1]]))
    return path[::-1]


def chord_tone_share(melody: Sequence[MelodyNote], chords: Sequence[ChordSpan], metre: tuple[int, int]) -> float:
    """Share of the notes that begin on strong beats (stress ≥ 0.8: bar lines and mid-bars) and belong to the chord
    there.

    Raises:
        ValueError: no note begins on a strong beat under a chord.
    """
    hits, total = 0, 0
    for note in melody:
        if note.onset < 0 or stress(note.onset, metre) < 0.8:
            continue
        span = next((s for s in chords if s.start - 1e-6 <= note.onset < s.end - 1e-6), None)
        if span is None or span.chord.root is None:
            continue
        total += 1
        hits += note.pitch % 12 in span.chord.pitch_classes
    if not total:
        raise ValueError("no note begins on a strong beat")
    return hits / total
