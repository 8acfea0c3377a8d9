"""Notes as events in time: note on, note off, time shift, velocity (Oore et al. 2018; Magenta's performance encoding).

Ids: 0 PAD, 1 EOS, then a note-on and a note-off for each pitch, a shift of 1, 2, … steps, and a velocity bin, in this
order. With 88 pitches, 100 shifts of 10 ms and 64 bins there are 342 of them, as Music FaderNets has it.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PAD, EOS = 0, 1
FIRST = 2  # id of the first event


@dataclass(frozen=True, slots=True, order=True)
class StepNote:
    """A note on a grid: its steps [start, end), MIDI pitch and velocity (1–127)."""

    start: int
    end: int
    pitch: int
    velocity: int = 64


@dataclass(frozen=True, slots=True)
class EventVocabulary:
    """Events and their ids.

    Attributes:
        shifts: longest time shift in steps; longer ones are written as several.
        velocities: number of velocity bins; 0: none are written, and notes are read with velocity 64.
        lowest, highest: MIDI pitches.
    """

    shifts: int = 100
    velocities: int = 64
    lowest: int = 21
    highest: int = 108

    @property
    def pitches(self) -> int:
        """How many there are."""
        return self.highest - self.lowest + 1

    @property
    def note_offs(self) -> int:
        """Id of the first note-off."""
        return FIRST + self.pitches

    @property
    def first_shift(self) -> int:
        """Id of the shift by one step."""
        return FIRST + 2 * self.pitches

    @property
    def first_velocity(self) -> int:
        """Id of the softest velocity."""
        return self.first_shift + self.shifts

    def __len__(self) -> int:
        return self.first_velocity + self.velocities

    @property
    def bin_size(self) -> int:
        """MIDI velocities in a bin."""
        return math.ceil(127 / self.velocities)

    def encode(self, notes: Iterable[StepNote], *, in_order: bool = False, quirks: str = "none") -> list[int]:
        """Ids of notes, without EOS. Offs of a step stand among its ons in the order of the notes' starts.

        Args:
            in_order: notes that begin in one step keep the order that they are given in, else the lowest comes first.
                The published encoder orders them by their unrounded time, then by pitch.
            quirks: "official": pitches outside of the range are not refused and take ids of other events.

        Raises:
            ValueError: a pitch is outside the range.
        """
        held = sorted(notes, key=lambda note: (note.start, 0 if in_order else note.pitch))
        for note in held:
            if quirks != "official" and not self.lowest <= note.pitch <= self.highest:
                raise ValueError(f"pitch {note.pitch} is outside {self.lowest} to {self.highest}")
        events = [(note.start, number, False) for number, note in enumerate(held)]
        events += [(max(note.end, note.start + 1), number, True) for number, note in enumerate(held)]
        ids: list[int] = []
        now, bin_now = 0, 0
        for step, number, is_off in sorted(events):
            while step > now:
                shift = min(step - now, self.shifts)
                ids.append(self.first_shift + shift - 1)
                now += shift
            note = held[number]
            if self.velocities and not is_off:
                bin_ = (note.velocity - 1) // self.bin_size
                if bin_ + 1 != bin_now:
                    bin_now = bin_ + 1
                    ids.append(self.first_velocity + bin_)
            ids.append((self.note_offs if is_off else FIRST) + note.pitch - self.lowest)
        return ids

    def decode(self, ids: Sequence[int], *, steps: int | None = None, velocity: int = 64) -> list[StepNote]:
        """Notes of ids up to the first EOS, in the order of their ends. PAD and offs without a note are passed over;
        notes that never end, end where the ids do.

        Args:
            steps: length of the music: later notes are left out and longer ones are cut.
            velocity: of notes before the first velocity event; 100 in the published decoder.
        """
        now = 0
        sounding: dict[int, deque[tuple[int, int]]] = defaultdict(deque)
        notes: list[StepNote] = []
        for event in ids:
            if event == EOS:
                break
            if event < FIRST:
                continue
            if event < self.note_offs:
                sounding[event - FIRST].append((now, velocity))
            elif event < self.first_shift:
                if sounding[event - self.note_offs]:
                    start, loud = sounding[event - self.note_offs].popleft()
                    notes.append(StepNote(start, now, event - self.note_offs + self.lowest, loud))
            elif event < self.first_velocity:
                now += event - self.first_shift + 1
            else:
                velocity = 1 + (event - self.first_velocity) * self.bin_size
        end = now if steps is None else max(now, steps)
        for pitch, starts in sorted(sounding.items()):
            notes += [StepNote(start, end, pitch + self.lowest, loud) for start, loud in starts]
        limit = end if steps is None else steps
        return [
            StepNote(note.start, min(note.end, limit), note.pitch, note.velocity)
            for note in notes
            if note.start < min(note.end, limit)
        ]


def until_end(ids: Sequence[int]) -> list[int]:
    """Ids without PAD at both ends, up to the first EOS."""
    held = list(ids)
    while held and held[0] == PAD:
        held.pop(0)
    while held and held[-1] == PAD:
        held.pop()
    return held[: held.index(EOS)] if EOS in held else held


def seconds_to_steps(seconds: float, rate: int = 100) -> int:
    """The nearest step of a grid of `rate` steps a second, halves upwards."""
    return int(seconds * rate + 0.5)


def insert_end_early(ids: Sequence[int]) -> list[int]:
    """EOS before the last event, where the published code has it in its labelled set; our own segments end with it."""
    return [*ids[:-1], EOS, *ids[-1:]]
