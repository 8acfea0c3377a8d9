"""REMI+ tokens: one stream of bars, positions, programs and notes (Huang & Yang 2020; von Rütte et al. 2023).

The ids are those of the tokenizer with which Text2midi was trained (arXiv 2412.16526): bar by bar its time signature,
then by position the tempo and the notes, each as program, pitch, velocity and duration. Time is a grid of `resolution`
positions a beat, the beat being the denominator of the time signature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from orchestrion.errors import InputError, OptionError, check_choice
from orchestrion.representations.remi_scores import Section, gather_notes, gather_tempos, nearest, sections, write_score

SPECIALS = ("PAD", "BOS", "EOS", "MASK")
TIME_SIGNATURES = ((3, 8), (12, 8), (6, 8), (5, 4), (6, 4), (3, 4), (2, 4), (1, 4), (4, 4))  # in the published order
BEAT_RESOLUTION = ((1, 12), (2, 4), (4, 2), (8, 1))  # (up to this beat, durations a beat)
DRUM_PROGRAM = -1
MAX_BARS = 100_000  # 55 hours of 4/4 at 120 bpm; longer is a damaged file


@dataclass(frozen=True, slots=True)
class DecodedRemi:
    """A score read from tokens, the number of its notes, and how many tokens made no sense where they stood."""

    score: Any
    notes: int
    skipped: int


class RemiVocabulary:
    """The tokens, their order, and the way between them and scores. Names are `Kind_value`.

    Args:
        pitches, drum_pitches: MIDI notes that can be written.
        num_velocities: levels; the loudest is 127.
        beat_resolution: (beat, steps): durations up to `beat` are multiples of 1 / `steps` of a beat. The first is the
            resolution of positions.
        num_tempos, tempo_range: tempos in beats a minute, evenly spaced.
        time_signatures: those that can be written, in the order of their ids; others are left out.
        quirks: "official" keeps what the published tokenizer does to pieces whose denominator changes (instruments
            without a note after the change are not rounded to the grid) and to tokens that make no sense (positions
            beyond the bar line reach into later bars, any time signature counts).

    Raises:
        OptionError: `quirks` is unknown, or a size is out of range.
    """

    pad, bos, eos, mask = 0, 1, 2, 3

    def __init__(
        self,
        *,
        pitches: range = range(21, 109),
        drum_pitches: range = range(27, 88),
        num_velocities: int = 32,
        beat_resolution: Sequence[tuple[int, int]] = BEAT_RESOLUTION,
        num_tempos: int = 32,
        tempo_range: tuple[float, float] = (40.0, 250.0),
        time_signatures: Sequence[tuple[int, int]] = TIME_SIGNATURES,
        quirks: str = "none",
    ) -> None:
        check_choice("quirks", quirks, "none", "official")
        if not 1 <= num_velocities <= 127 or num_tempos < 1 or (4, 4) not in time_signatures:
            raise OptionError("REMI needs 1 to 127 velocities, a tempo, and 4/4 among its time signatures.")
        self.quirks = quirks
        self.pitches, self.drum_pitches = pitches, drum_pitches
        self.resolution = beat_resolution[0][1]
        self.time_signatures = tuple(time_signatures)
        self.velocities = np.linspace(0, 127, num_velocities + 1, dtype=np.int32)[1:]
        self.tempos = np.linspace(*tempo_range, num_tempos).round(2)
        starts = [0, *(end for end, _ in beat_resolution[:-1])]
        durations = [
            (beat, part, steps)
            for start, (end, steps) in zip(starts, beat_resolution, strict=True)
            for beat in range(start, end)
            for part in range(steps)
        ]
        self.durations = [*durations[1:], (beat_resolution[-1][0], 0, beat_resolution[-1][1])]
        positions = self.resolution * max(numerator for numerator, _ in time_signatures)
        kinds: dict[str, list[str]] = {name: ["None"] for name in (*SPECIALS, "Bar")} | {
            "Pitch": [str(p) for p in pitches],
            "Velocity": [str(v) for v in self.velocities],
            "Duration": [f"{beat}.{part}.{steps}" for beat, part, steps in self.durations],
            "Position": [str(p) for p in range(positions)],
            "PitchDrum": [str(p) for p in drum_pitches],
            "Tempo": [str(t) for t in self.tempos.tolist()],
            "Program": [str(p) for p in range(DRUM_PROGRAM, 128)],
            "TimeSig": [f"{n}/{d}" for n, d in time_signatures],
        }
        self.first: dict[str, int] = {}
        self.count: dict[str, int] = {}
        self.names: list[str] = []
        for kind, values in kinds.items():
            self.first[kind], self.count[kind] = len(self.names), len(values)
            self.names += [f"{kind}_{value}" for value in values]
        self.kinds = list(kinds)

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Id of every name."""
        return {name: i for i, name in enumerate(self.names)}

    def duration_ticks(self, ticks_per_beat: int) -> np.ndarray:
        """Ticks of every duration, in the order of their ids."""
        return np.array([(b * steps + part) * ticks_per_beat // steps for b, part, steps in self.durations])

    @cached_property
    def default_tempo(self) -> int:
        """Index of the tempo nearest to MIDI's default, 120 bpm."""
        return int(np.argmin(np.abs(self.tempos - 120.0)))

    @cached_property
    def decoding_tpq(self) -> int:
        """Ticks a quarter note of decoded scores: a grid that holds the positions of the shortest beat."""
        return self.resolution * max(denominator for _, denominator in self.time_signatures) // 4

    # Scores → tokens --------------------------------------------------------------------------------------------------

    def encode(self, score: Any) -> list[int]:
        """Ids of a symusic score, without BOS and EOS.

        Tracks of one program become one; pitches out of range and unknown time signatures are left out (what came
        before them goes on); velocities, tempos and durations go to the nearest that can be written, onsets to the
        grid.

        Raises:
            InputError: the score lasts more than `MAX_BARS` bars.
        """
        parts = sections(score, self.time_signatures, self.resolution)
        first = self.first
        time, program, pitch, velocity, duration = gather_notes(
            score, parts, self.pitches, self.drum_pitches, exact=self.quirks == "none"
        )
        tempo_time, tempo = gather_tempos(score, parts, self.tempos, self.default_tempo, exact=self.quirks == "none")
        last = max(int(time.max(initial=0)), int(tempo_time.max(initial=0)), parts[-1].start)
        bars, signatures = self._bars(parts, last)

        begins = np.array([part.start for part in parts])
        section_of = np.searchsorted(begins, time, side="right") - 1
        notes = np.empty((len(time), 4), dtype=np.int64)
        notes[:, 0] = program + (first["Program"] - DRUM_PROGRAM)
        drum = program == DRUM_PROGRAM
        notes[:, 1] = pitch + np.where(
            drum, first["PitchDrum"] - self.drum_pitches.start, first["Pitch"] - self.pitches.start
        )
        notes[:, 2] = self._velocity_ids[velocity]
        for index, part in enumerate(parts):
            inside = section_of == index if len(parts) > 1 else slice(None)
            ticks = self.duration_ticks(part.ticks_per_beat)
            notes[inside, 3] = first["Duration"] + nearest(ticks, duration[inside])

        moments = np.union1d(time, tempo_time)
        bar_starts = bars[np.searchsorted(bars, moments, side="right") - 1]
        grid = np.array([part.ticks_per_beat // self.resolution for part in parts])
        grid = grid[np.searchsorted(begins, moments, side="right") - 1]
        positions = first["Position"] + (moments - bar_starts) // grid

        # Every event has a time and a rank among those of the same time: bar 0, position 1, tempo 2, note 3.
        keys = np.concatenate([bars * 4, moments * 4 + 1, tempo_time * 4 + 2, time * 4 + 3])
        sizes = np.concatenate(
            [np.full(len(bars), 2), np.ones(len(moments) + len(tempo_time), dtype=np.int64), np.full(len(time), 4)]
        )
        order = np.argsort(keys, kind="stable")
        places = np.empty(len(order), dtype=np.int64)
        places[order] = np.concatenate([[0], np.cumsum(sizes[order])[:-1]])
        ids = np.empty(int(sizes.sum()), dtype=np.int64)
        at_bar, at_moment, at_tempo, at_note = np.split(places, np.cumsum([len(bars), len(moments), len(tempo_time)]))
        ids[at_bar], ids[at_bar + 1] = first["Bar"], first["TimeSig"] + signatures
        ids[at_moment], ids[at_tempo] = positions, first["Tempo"] + tempo
        ids[at_note[:, None] + np.arange(4)] = notes
        return ids.tolist()

    def _bars(self, parts: list[Section], last: int) -> tuple[np.ndarray, np.ndarray]:
        """Start tick and index of the time signature of every bar that begins by tick `last`."""
        starts, signatures = [], []
        ends = [part.start for part in parts[1:]] + [last + 1]
        for part, end in zip(parts, ends, strict=True):
            if (end - part.start) // part.ticks_per_bar > MAX_BARS:
                raise InputError(f"The score lasts more than {MAX_BARS} bars; give a shorter one.")
            starts.append(np.arange(part.start, end, part.ticks_per_bar, dtype=np.int64))
            signatures.append(np.full(len(starts[-1]), self.time_signatures.index(part.signature)))
        return np.concatenate(starts), np.concatenate(signatures)

    @cached_property
    def _velocity_ids(self) -> np.ndarray:
        return self.first["Velocity"] + nearest(self.velocities, np.arange(128))

    # Tokens → scores --------------------------------------------------------------------------------------------------

    def decode(self, ids: Sequence[int]) -> Any:
        """The symusic score that `ids` write, whatever they are: what makes no sense is left out."""
        return self.read(ids).score

    def read(self, ids: Sequence[int]) -> DecodedRemi:
        """The score that `ids` write, and how many of them were left out.

        Left out are ids that are no token, notes that are not whole, positions beyond the bar line and time signatures
        that do not follow a bar. Special tokens are passed over without being counted.
        """
        return DecodedRemi(*write_score(self, ids))

    @cached_property
    def table(self) -> list[tuple[str, int]]:
        """Kind and index inside the kind of every id."""
        return [(kind, index) for kind in self.kinds for index in range(self.count[kind])]
