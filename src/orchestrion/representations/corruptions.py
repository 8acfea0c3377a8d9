"""The nine ways in which ImprovNet (arXiv 2502.04522) spoils a segment of a performance, and what its encoder reads.

Each takes the notes of a segment and a source of chance with the methods of `random.Random`. `quirks="official"`
keeps slips of the published code: pitches leave the range of MIDI in `incorrect_transposition` and `note_modification`,
which also loses the last note; `skyline` loses notes of pitch 0, an only note, and the last group if it has more than
one note or the mark of the end follows it, and begins a group anew after two marks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from orchestrion.representations.performance_tokens import (
    BREAK,
    NEAR_END,
    SEPARATOR,
    Item,
    TimedNote,
    Token,
    note_tokens,
)

CHORD = 50  # ms between onsets that count as one
LONGEST = 5000  # ms
MODIFIED_VELOCITIES = [45, 60, 75, 90, 105]


@runtime_checkable
class Chance(Protocol):
    """What is drawn from; `random.Random` is one."""

    def random(self) -> float: ...

    def uniform(self, a: float, b: float) -> float: ...

    def randint(self, a: int, b: int) -> int: ...

    def choice(self, seq: Any) -> Any: ...

    def shuffle(self, x: list[Any]) -> None: ...


def _notes(segment: Sequence[Item]) -> list[TimedNote]:
    return [item for item in segment if not isinstance(item, str)]


def _marks(segment: Sequence[Item]) -> list[Item]:
    return [item for item in segment if isinstance(item, str)]


def _refill(segment: Sequence[Item], notes: Sequence[TimedNote]) -> list[Item]:
    """The segment with other notes in the places of its own."""
    rest = iter(notes)
    return [item if isinstance(item, str) else next(rest) for item in segment]


def pitch_velocity_mask(segment: Sequence[Item], chance: Chance, *, quirks: str = "none") -> list[Token]:
    """Only the rhythm."""
    found: list[Token] = []
    for item in segment:
        found += [item] if isinstance(item, str) else [("onset", item.onset), ("dur", item.duration), "PVM"]
    return found


def onset_duration_mask(segment: Sequence[Item], chance: Chance, *, quirks: str = "none") -> list[Token]:
    """Only pitches and velocities."""
    found: list[Token] = []
    for item in segment:
        found += [item] if isinstance(item, str) else ["O", "D", ("piano", item.pitch, item.velocity)]
    return found


def whole_mask(segment: Sequence[Item], chance: Chance, *, quirks: str = "none") -> list[Token]:
    """Nothing."""
    return ["mask", *note_tokens(_marks(segment))]


def permute_pitches(segment: Sequence[Item], chance: Chance, *, quirks: str = "none") -> list[Token]:
    """Pitches in another order."""
    notes = _notes(segment)
    pitches = [note.pitch for note in notes]
    chance.shuffle(pitches)
    changed = [note._replace(pitch=pitch) for note, pitch in zip(notes, pitches, strict=True)]
    return note_tokens(_refill(segment, changed))


def permute_pitch_velocity(segment: Sequence[Item], chance: Chance, *, quirks: str = "none") -> list[Token]:
    """Pitches and velocities in other orders, independent of each other."""
    notes = _notes(segment)
    pitches, velocities = [note.pitch for note in notes], [note.velocity for note in notes]
    chance.shuffle(pitches)
    chance.shuffle(velocities)
    changed = [
        note._replace(pitch=pitch, velocity=velocity)
        for note, pitch, velocity in zip(notes, pitches, velocities, strict=True)
    ]
    return note_tokens(_refill(segment, changed))


def fragmentation(segment: Sequence[Item], chance: Chance, *, quirks: str = "none") -> list[Token]:
    """Only the first fifth to half."""
    length = int(len(segment) * chance.uniform(0.2, 0.5))
    return note_tokens([*segment[:length], *_marks(segment[length:])])


def incorrect_transposition(segment: Sequence[Item], chance: Chance, *, quirks: str = "none") -> list[Token]:
    """Every other note, by chance, up to five semitones off."""
    changed = []
    for note in _notes(segment):
        moved = note.pitch + chance.randint(-5, 5) if chance.choice([True, False]) else note.pitch
        changed.append(note._replace(pitch=moved if quirks == "official" else min(max(moved, 0), 127)))
    return note_tokens(_refill(segment, changed))


def note_modification(segment: Sequence[Item], chance: Chance, *, quirks: str = "none") -> list[Token]:
    """Some notes left out, their time given to the note before; some long ones halved, with another note between."""
    notes = _notes(segment)
    kept = _leave_out(notes, chance, lose_last=quirks == "official")
    return note_tokens([*_marks(segment), *_put_between(kept, chance, any_pitch=quirks == "official")])


def _leave_out(notes: Sequence[TimedNote], chance: Chance, *, lose_last: bool) -> list[TimedNote]:
    kept: list[TimedNote] = []
    place = 0
    while place < len(notes) - 1:
        note, after = notes[place], notes[place + 1]
        share = chance.uniform(0.1, 0.4)
        dropped = chance.uniform(0, 1) < share
        if dropped and abs(after.onset - note.onset) > CHORD:
            note = note._replace(duration=min(note.duration + after.duration, LONGEST))
        kept.append(note)
        place += 2 if dropped else 1
    if not lose_last and place < len(notes):
        kept.append(notes[place])
    return kept


def _put_between(notes: Sequence[TimedNote], chance: Chance, *, any_pitch: bool) -> list[TimedNote]:
    found: list[TimedNote] = []
    for place, note in enumerate(notes):
        share = chance.uniform(0.1, 0.4)
        if not (chance.uniform(0, 1) < share and note.duration > 500 and place < len(notes) - 1):
            found.append(note)
            continue
        half = 10 * round(note.duration / 20)
        pitch = note.pitch + chance.randint(-5, 5)
        velocity = chance.choice(MODIFIED_VELOCITIES)
        onset = note.onset + chance.randint(0, abs(notes[place + 1].onset - note.onset))
        duration = min(half + chance.randint(-int(half * 0.1), int(half * 0.1)), LONGEST)
        found.append(note._replace(duration=half))
        pitch = pitch if any_pitch else min(max(pitch, 0), 127)
        found.append(TimedNote(pitch, velocity, round(onset, -1), round(duration, -1)))
    return found


def skyline(segment: Sequence[Item], chance: Chance, *, quirks: str = "none") -> list[Token]:
    """Of notes that begin together (each within 50 ms of the one before) the highest, at velocity 90."""
    official = quirks == "official"
    if official and len(segment) < 2:
        return []
    found: list[Item] = []
    group: list[TimedNote] = []
    marks = 0  # since the last note
    for item in segment:
        if isinstance(item, str):
            found.append(item)
            marks += 1
            continue
        if group and (abs(item.onset - group[-1].onset) > CHORD or (official and marks > 1)):
            found.append(_highest(group))
            group = []
        group.append(item)
        marks = 0
    lost = official and (len(group) > 1 or len(_notes(segment)) == 1 or segment[-1] == NEAR_END)
    if group and not lost:
        found.append(_highest(group))
    return note_tokens([item for item in found if isinstance(item, str) or item.pitch > 0 or not official])


def _highest(group: Sequence[TimedNote]) -> TimedNote:
    return max(group, key=lambda note: note.pitch)._replace(velocity=90)


Corruption = Callable[..., list[Token]]

CORRUPTIONS: dict[str, tuple[str, Corruption]] = {
    "pitch_velocity_mask": ("pitch_velocity_mask", pitch_velocity_mask),
    "onset_duration_mask": ("onset_duration_mask", onset_duration_mask),
    "whole_mask": ("whole_mask", whole_mask),
    "permute_pitches": ("pitch_permutation", permute_pitches),
    "permute_pitch_velocity": ("pitch_velocity_permutation", permute_pitch_velocity),
    "fragmentation": ("fragmentation", fragmentation),
    "incorrect_transposition": ("incorrect_transposition", incorrect_transposition),
    "skyline": ("skyline", skyline),
    "note_modification": ("note_modification", note_modification),
}
"""By name: the token that tells the network what was done, and the function."""


def corrupt(name: str, segment: Sequence[Item], chance: Chance, *, genre: str, quirks: str = "none") -> list[Token]:
    """Name of the corruption, genre, and what is left of the segment.

    Raises:
        KeyError: there is no such corruption.
    """
    word, function = CORRUPTIONS[name]
    return [word, genre, *function(segment, chance, quirks=quirks)]


def encoder_tokens(
    segments: Sequence[Sequence[Item]], place: int, corrupted: Sequence[Token], *, before: int, after: int
) -> list[Token]:
    """What the encoder reads: segments before, the corrupted one between separators, segments after."""
    tokens: list[Token] = []
    for segment in segments[max(place - before, 0) : place]:
        tokens += [*note_tokens(segment), BREAK]
    tokens += [SEPARATOR, *corrupted, SEPARATOR]
    for segment in segments[place + 1 : place + 1 + after]:
        tokens += [BREAK, *note_tokens(segment)]
    return tokens


def cut_at_last_break(tokens: Sequence[Token]) -> list[Token]:
    """The published form of "no right context": what follows the last break is dropped, be it the corrupted
    segment, or all if there is no break."""
    breaks = [place for place, token in enumerate(tokens) if token == BREAK]
    return list(tokens[: breaks[-1] + 1]) if breaks else []
