"""Which token may follow: the grammar of `arrangement` as a state machine, with what a request has fixed.

A decoder that samples under this grammar can only write complete arrangements: the plan that was asked for, the exact
number of bars, positions that ascend, notes that end by the last bar line, a tonic chord in the last bar.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from orchestrion.representations.arrangement import (
    DRUMS,
    DURATIONS,
    MAX_BARS_LEFT,
    MAX_NOTES,
    METRES,
    PITCHES,
    REPEATS,
    ROLES,
    ArrangementVocabulary,
    bar_length,
)
from orchestrion.theory.chords import Chord

KIT = 128  # the drum kit among the programs
USUAL_LENGTHS = (8, 32)  # bars of a piece that nobody gave a length: those of the corpus
SHORTEST_LAST = 5  # steps before the end after which no note begins: what starts later sounds cut off


@dataclass(frozen=True, slots=True)
class Plan:
    """What is fixed before the first token. `None` leaves the choice to the model.

    Attributes:
        genre, metre, tempo, key: the tokens of those kinds among which the model may choose.
        parts: (role, programs to choose from) in the order of `ROLES`; programs of None leave all open.
        more: whether the model may add parts after those.
        without: programs that must not play (128 = drums), where the model chooses.
        drums: whether there must be drums, where the model chooses.
        bars: number of bars.
        head_only: the sequence ends with the first bar's token, which tells how many bars there are; between 8 and 32
            where `bars` is None.
        repeats: bar → how many bars earlier its chords and melody were played (the form of the piece).
        cadence: whether the last bar must stand on the tonic chord.
    """

    genre: tuple[int, ...] | None = None
    metre: tuple[int, ...] | None = None
    tempo: tuple[int, ...] | None = None
    key: tuple[int, ...] | None = None
    parts: tuple[tuple[str, tuple[int, ...] | None], ...] | None = None
    more: bool = False
    without: frozenset[int] = frozenset()
    drums: bool | None = None
    bars: int | None = None
    head_only: bool = False
    repeats: Mapping[int, int] = field(default_factory=dict)
    cadence: bool = True


class ArrangementGrammar:
    """Follows one sequence: `allowed()` is a boolean array over the vocabulary, `advance` takes what was chosen."""

    def __init__(self, vocabulary: ArrangementVocabulary, plan: Plan | None = None) -> None:
        self.v = vocabulary
        self.plan = plan or Plan()
        self.done = False
        self._state = "genre"
        self._parts: list[int] = []  # role indices, as written
        self._bar = -1
        self._bars = self.plan.bars
        self._length = 0
        self._minor = False
        self._tonic: int | None = None
        self._chords: list[list[tuple[int, int]]] = []
        self._filled: dict[int, list[bool]] = {}
        self._part = 0
        self._mask: np.ndarray | None = None
        self._clear_events()

    def _clear_events(self) -> None:
        self._cursor = 0
        self._onset = -1
        self._position: int | None = None
        self._group: list[int] = []

    @property
    def bars_begun(self) -> int:
        """How many bars have been begun."""
        return self._bar + 1

    # ------------------------------------------------------------------ what may come

    def allowed(self) -> np.ndarray:
        """Boolean array [vocabulary]: which tokens may come next."""
        return self._now().copy()

    def _now(self) -> np.ndarray:
        """What `allowed` says, kept until the next token is taken."""
        if self._mask is None:
            self._mask = np.zeros(len(self.v), dtype=bool)
            getattr(self, f"_allow_{self._state}")(self._mask)
        return self._mask

    def _range(self, mask: np.ndarray, kind: str, start: int = 0, stop: int | None = None) -> None:
        first = self.v.first[kind]
        stop = self.v.count[kind] if stop is None else min(stop, self.v.count[kind])
        if stop > start:
            mask[first + max(start, 0) : first + stop] = True

    def _fixed(self, mask: np.ndarray, kind: str, tokens: tuple[int, ...] | None) -> None:
        if tokens is None:
            self._range(mask, kind)
        else:
            mask[list(tokens)] = True

    def _allow_genre(self, mask: np.ndarray) -> None:
        self._fixed(mask, "Genre", self.plan.genre)

    def _allow_metre(self, mask: np.ndarray) -> None:
        self._fixed(mask, "Metre", self.plan.metre)

    def _allow_tempo(self, mask: np.ndarray) -> None:
        self._fixed(mask, "Tempo", self.plan.tempo)

    def _allow_key(self, mask: np.ndarray) -> None:
        self._fixed(mask, "Key", self.plan.key)

    def _allow_role(self, mask: np.ndarray) -> None:
        fixed = self.plan.parts or ()
        if len(self._parts) < len(fixed):
            mask[self.v.ids[f"Role_{fixed[len(self._parts)][0]}"]] = True
            return
        if self.plan.parts is not None and not self.plan.more:
            self._allow_left(mask)
            return
        if not self._parts:
            mask[self.v.ids["Role_melody"]] = True
            return
        drums = ROLES.index("drums")
        self._range(mask, "Role", self._parts[-1] + 1)
        if self.plan.drums is False or KIT in self.plan.without:
            mask[self.v.token("Role", drums)] = False
        if not self.plan.drums or drums in self._parts:
            self._allow_left(mask)

    def _allow_program(self, mask: np.ndarray) -> None:
        fixed = self.plan.parts or ()
        programs = fixed[len(self._parts) - 1][1] if len(self._parts) <= len(fixed) else None
        if ROLES[self._parts[-1]] == "drums":
            programs = (KIT,)
        if programs is None:
            self._range(mask, "Program", 0, KIT)
            mask[[self.v.token("Program", program) for program in self.plan.without]] = False
        else:
            mask[[self.v.token("Program", program) for program in programs]] = True

    def _allow_level(self, mask: np.ndarray) -> None:
        self._range(mask, "Level")

    def _allow_left(self, mask: np.ndarray) -> None:
        if self._bars is None:
            fewest, most = USUAL_LENGTHS if self.plan.head_only else (4, MAX_BARS_LEFT)
            self._range(mask, "Left", fewest - 1, most)
            return
        left = min(self._bars - self._bar - 1, MAX_BARS_LEFT)
        if left > 0:
            mask[self.v.token("Left", left - 1)] = True
        else:
            mask[self.v.eos] = True

    @property
    def _ends(self) -> bool:
        """Whether this is a last bar that has to close the piece."""
        return self.plan.cadence and self._bars is not None and self._bar == self._bars - 1

    def _allow_chord(self, mask: np.ndarray) -> None:
        current = self._chords[-1]
        if self._ends and self._tonic is not None:
            if current:
                self._allow_part_end(mask)
            else:
                mask[self._tonic] = True
            return
        if not current:
            back = self.plan.repeats.get(self._bar)
            if back is not None and back in REPEATS:
                mask[self.v.token("Repeat", REPEATS.index(back))] = True
                return
            self._range(mask, "Chord")
            for i, steps in enumerate(REPEATS):
                if steps <= self._bar:
                    mask[self.v.token("Repeat", i)] = True
        elif self._position is not None:
            self._range(mask, "Chord")
            mask[current[-1][1]] = False
        else:
            self._range(mask, "Position", current[-1][0] + 1, self._length)
            self._allow_part_end(mask)

    def _allow_part_end(self, mask: np.ndarray) -> None:
        """The next role of the bar, or the next bar, or the end."""
        if self._part < len(self._parts):
            mask[self.v.token("Role", self._parts[self._part])] = True
        else:
            self._allow_left(mask)

    def _allow_part(self, mask: np.ndarray) -> None:
        """Right after a role token: repeat, rest, or the first event."""
        role = self._parts[self._part - 1]
        name = ROLES[role]
        filled = self._filled[role]
        back = self.plan.repeats.get(self._bar) if name == "melody" and not self._ends else None
        if back is not None and back in REPEATS and filled[self._bar - back]:
            mask[self.v.token("Repeat", REPEATS.index(back))] = True
            return
        for i, steps in enumerate(REPEATS):
            if steps <= self._bar and filled[self._bar - steps]:
                same_chords = self._chords[self._bar - steps] == self._chords[self._bar]
                if not self._ends or (same_chords and name == "drums"):
                    mask[self.v.token("Repeat", i)] = True
        others_rest = not any(self._filled[r][self._bar] for r in self._parts[: self._part - 1])
        if not ((self._part == len(self._parts) and others_rest) or (self._ends and name in ("melody", "bass"))):
            mask[self.v.first["Rest"]] = True
        self._allow_event(mask)

    def _allow_event(self, mask: np.ndarray) -> None:
        name = ROLES[self._parts[self._part - 1]]
        drums = name == "drums"
        kind, low = ("Drum", DRUMS.start) if drums else ("Pitch", PITCHES.start)
        stop = self._length - (SHORTEST_LAST if self._ends and not drums else 0)
        if self._group:
            if len(self._group) < MAX_NOTES[name]:
                self._range(mask, kind, self._group[-1] - low + 1)
                if self._closing(name):
                    self._keep_triad(mask, name)
            if not drums:
                room = (self._bars - self._bar) * self._length if self._bars is not None else 10**6
                fits = bisect_right(DURATIONS, min(room - self._onset, 2 * self._length))
                self._range(mask, "Duration", 0, max(fits, 1))
                return
        elif self._position is not None or (0 <= self._cursor < stop):
            self._range(mask, kind)
            if self._closing(name):
                self._keep_triad(mask, name)
        if self._position is not None and not self._group:
            return
        self._range(mask, "Position", self._onset + 1, stop)
        if 0 <= self._cursor < stop and not self._group:
            mask[self.v.token("Position", self._cursor)] = False  # the cursor needs no position
        if self._onset >= 0:
            self._allow_part_end(mask)

    def _closing(self, role: str) -> bool:
        return self._ends and role != "drums"

    def _keep_triad(self, mask: np.ndarray, role: str) -> None:
        """In the last bar all play the tonic triad; the bass begins on the tonic, and a lone tune stays there."""
        triad = (9, 0, 4) if self._minor else (0, 4, 7)
        alone = len([part for part in self._parts if ROLES[part] != "drums"]) == 1
        keep = triad[:1] if alone or (role == "bass" and self._onset < 0) else triad
        first = self.v.first["Pitch"]
        classes = np.arange(PITCHES.start, PITCHES.stop) % 12
        mask[first : first + len(PITCHES)] &= np.isin(classes, keep)

    # ------------------------------------------------------------------ what came

    def advance(self, token: int) -> None:
        """Takes the next token.

        Raises:
            ValueError: the grammar does not allow it.
        """
        if not self._now()[token]:
            raise ValueError(f"{self.v.names[token]} cannot follow in state {self._state}")
        self._mask = None
        kind, value = self.v.kind(token), self.v.value(token)
        if token == self.v.eos:
            self.done = True
            return
        if self._state in ("genre", "metre", "tempo", "key"):
            self._take_plan(kind, value)
        elif kind == "Role" and self._bar < 0:
            self._parts.append(value)
            self._filled[value] = []
            self._state = "program"
        elif kind == "Program":
            self._state = "level"
        elif kind == "Level":
            self._state = "role"
        elif kind == "Left":
            self._begin_bar(value)
            self.done = self.plan.head_only
        elif kind == "Role":
            self._part += 1
            self._filled[value].append(False)
            self._clear_events()
            self._state = "part"
        elif self._state == "chord":
            self._take_chord(kind, value, token)
        else:
            self._take_event(kind, value)

    def _take_plan(self, kind: str, value: int) -> None:
        order = ("genre", "metre", "tempo", "key", "role")
        if kind == "Metre":
            self._length = bar_length(METRES[value])
        if kind == "Key":
            self._minor = value >= 12
            self._tonic = self.v.chord(Chord(0, "maj") if value < 12 else Chord(9, "min"))
        self._state = order[order.index(self._state) + 1]

    def _begin_bar(self, left: int) -> None:
        if self._bars is None:
            self._bars = left + 1
        self._bar += 1
        self._part = 0
        self._chords.append([])
        self._clear_events()
        self._state = "chord"

    def _take_chord(self, kind: str, value: int, token: int) -> None:
        if kind == "Repeat":
            self._chords[-1] = list(self._chords[self._bar - REPEATS[value]])
            self._state = "chord_end"
        elif kind == "Position":
            self._position = value
        else:
            self._chords[-1].append((self._position or 0, token))
            self._position = None

    def _allow_chord_end(self, mask: np.ndarray) -> None:
        self._allow_part_end(mask)

    def _allow_part_closed(self, mask: np.ndarray) -> None:
        self._allow_part_end(mask)

    def _take_event(self, kind: str, value: int) -> None:
        role = self._parts[self._part - 1]
        drums = ROLES[role] == "drums"
        if kind in ("Repeat", "Rest"):
            self._filled[role][-1] = kind == "Repeat"
            self._state = "part_closed"
            return
        self._state = "event"
        self._filled[role][-1] = True
        if kind == "Position":
            self._position, self._group = value, []
        elif kind == "Duration":
            self._cursor = self._onset + DURATIONS[value]
            self._group = []
        else:
            if not self._group:
                self._onset = self._cursor if self._position is None else self._position
                self._position = None
            self._group.append(value + (DRUMS.start if drums else PITCHES.start))
            if drums:
                self._cursor = -1
