"""Which token may follow in Theme Transformer's language, and where a piece ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from orchestrion.errors import check_choice
from orchestrion.representations.theme_remi import BRIDGE, DURATION, KINDS, ON, VELOCITY, ThemeVocabulary

TEMPO, POSITION, BAR, PHRASE_START, PHRASE_END, THEME_START, THEME_END = range(KINDS.index("Tempo"), len(KINDS))


class ThemeGrammar:
    """The state of a piece that is being written, as `paradigms.autoregressive.Grammar`.

    By default a theme may follow a theme at once (the published rules forbid it, though the published data have it),
    positions increase in a bar, each holds a note, none lies beyond the bar line, and the piece ends where bar `bars`
    + 1 would begin; no theme begins that would not be over by then. Tempo, bridge and phrase tokens are not written.

    Args:
        start: tokens that are there already.
        bars: how many to write, those of `start` not counted.
        bar_lengths: sixteenths of the bars to come, counted from the first of `start`; the last holds for all others.
        theme_bars: how many bars every region has; None: the model decides, as published.
        new_bar: after `start`, a new bar must begin.
        first_label: label of the first token of `start`, where it is not what follows from it (the published code gives
            a lone `Theme_Start` 0).
        quirks: "official" for the published rules: positions need only differ, and the piece ends with token number
            `bars` of the kind `Bar`, so that its last bar is empty; bars of `start` are added once more.

    Raises:
        OptionError: `quirks` is unknown.
    """

    def __init__(
        self,
        vocabulary: ThemeVocabulary,
        start: Sequence[int] = (),
        *,
        bars: int,
        bar_lengths: Sequence[int] = (),
        theme_bars: int | None = None,
        new_bar: bool = False,
        first_label: int | None = None,
        quirks: str = "none",
    ) -> None:
        check_choice("quirks", quirks, "none", "official")
        self.vocabulary, self.official = vocabulary, quirks == "official"
        self.lengths = list(bar_lengths) or [vocabulary.positions]
        self.theme_bars = theme_bars
        self.done = self.new_bar = False
        self.last = -1
        self.inside, self.label, self.position, self.bar, self.open_bars = False, 0, -1, 0, 0
        self.labels: list[int] = []
        self.most = np.inf
        kind = vocabulary.kind
        self._note = np.isin(kind, range(ON.start, VELOCITY.stop))
        self._free = ~np.isin(kind, [0, *range(DURATION.start, VELOCITY.stop)])  # what may stand between two notes
        if not self.official:
            self._free &= ~np.isin(kind, [TEMPO, PHRASE_START, PHRASE_END]) & (vocabulary.track != BRIDGE)
        for token in start:
            self.advance(token)
        if first_label is not None and self.labels:
            self.labels[0] = self.label = first_label
        self.new_bar = new_bar
        self.most = bars + self.bar * (2 if self.official else 1)

    def allowed(self) -> Bool[np.ndarray, " tokens"]:
        """The tokens that may come next."""
        words, last = self.vocabulary, int(self.vocabulary.kind[self.last]) if self.last >= 0 else -1
        if last in (THEME_START, THEME_END) or (not self.official and last == -1):
            allowed = words.kind == BAR
            allowed[words.start] = last == THEME_END and not self.official and self._room_for_theme
            return allowed
        if last in range(ON.start, DURATION.stop):
            return words.kind == last + 3  # the duration or velocity of the same track
        allowed = self._free.copy()
        if self.position == -1:
            allowed &= ~self._note & (words.kind != TEMPO)
        else:
            allowed[words.position(self.position)] = False
        allowed[words.end if not self.inside else words.start] = False
        if not self.official:
            self._be_strict(allowed, last)
        return allowed

    @property
    def _room_for_theme(self) -> bool:
        return self.theme_bars is None or self.most - self.bar >= self.theme_bars

    def _be_strict(self, allowed: Bool[np.ndarray, " tokens"], last: int) -> None:
        words = self.vocabulary
        first = words.first["Position"]
        length = self.lengths[min(max(self.bar - 1, 0), len(self.lengths) - 1)]
        allowed[first : first + self.position + 1] = False
        allowed[first + length : first + words.positions] = False
        if last == POSITION:
            allowed[:] = allowed & self._note
        if self.new_bar:
            allowed[:] = allowed & np.isin(words.kind, [BAR, THEME_START])
        if self.theme_bars is not None:
            whole = self.open_bars >= self.theme_bars
            allowed[words.bar] &= not self.inside or not whole
            allowed[words.end] &= whole
        allowed[words.start] &= self._room_for_theme

    def advance(self, token: int) -> None:
        """Takes the token that came."""
        kind = int(self.vocabulary.kind[token])
        self.new_bar = False
        if kind == BAR:
            self.bar += 1
            self.open_bars += 1
            self.position = -1
            self.done = self.bar >= self.most if self.official else self.bar > self.most
        elif kind == POSITION:
            self.position = int(self.vocabulary.value[token])
        elif kind == THEME_START:
            self.inside, self.open_bars = True, 0
        elif kind == THEME_END:
            self.inside = False
        self.label = self.label + 1 if self.inside else 0
        self.labels.append(self.label)
        self.last = token


def finished(tokens: Sequence[int], vocabulary: ThemeVocabulary, *, quirks: str = "none") -> list[int]:
    """What a grammar let through, without the bar that shows that the piece is over, and marks that stand before it."""
    end = len(tokens)
    if quirks != "official" and end and tokens[-1] == vocabulary.bar:
        end -= 1
    while end and tokens[end - 1] == vocabulary.start:
        end -= 1
    return list(tokens[:end])
