"""Songs whose themes are known, as tokens, for systems that learn to bring a theme back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from orchestrion.data.corpus import one_of_each_tune
from orchestrion.data.piece import Piece
from orchestrion.representations.theme_remi import (
    MELODY,
    FindRegions,
    ThemeVocabulary,
    Window,
    encode,
    first_theme,
    shift_pitches,
    shift_range,
    windows,
)
from orchestrion.representations.theme_song import Ruler, song_of_score


@dataclass(frozen=True, slots=True)
class ThemeItem:
    """A theme and a window of the song that it is from."""

    theme: tuple[int, ...]
    window: Window


@dataclass(frozen=True, slots=True)
class ThemeBatch:
    """Padded themes and windows.

    Attributes:
        theme: tokens with marks; `theme_real` is False at padding.
        tokens, labels: of the windows, one longer than what is predicted.
    """

    theme: Int[Tensor, "batch theme"]
    theme_real: Bool[Tensor, "batch theme"]
    tokens: Int[Tensor, "batch time"]
    labels: Int[Tensor, "batch time"]

    def prompted(self) -> tuple[Int[Tensor, "batch time"], Int[Tensor, "batch time"], Int[Tensor, "batch time"]]:
        """Tokens, labels and targets with theme and window as one sequence; the theme itself is not to be predicted."""
        rows, wanted = [], []
        for theme, real, tokens in zip(self.theme, self.theme_real, self.tokens, strict=True):
            given = theme[real]
            rows.append(torch.cat([given, tokens[:-1]]))
            wanted.append(torch.cat([torch.zeros_like(given), tokens[1:]]))
        tokens, targets = (nn.utils.rnn.pad_sequence(part, batch_first=True) for part in (rows, wanted))
        return tokens, torch.zeros_like(tokens), targets


class ThemedSongs:
    """Windows of songs with their themes, one arrangement of each tune.

    Args:
        find: where the theme of a song is; songs in which it does not return are left out, unless that leaves none:
            then their first bars count as the theme.
        length: tokens that are predicted in a window.
        transpose: farthest shift in semitones; None: as far as pitches allow, as published.
        windows_at: "themes", "regular", or "both", see `representations.theme_remi.windows`.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        vocabulary: ThemeVocabulary,
        find: FindRegions,
        *,
        length: int,
        transpose: int | None = None,
        windows_at: str = "both",
    ) -> None:
        self.vocabulary, self.transpose = vocabulary, transpose
        themed, others = [], []
        for piece in one_of_each_tune(pieces):
            if piece.score is None or piece.melody is None:
                continue
            song = song_of_score(piece.score, melody=piece.melody, chords=piece.chords)
            bars = 2 * int(Ruler.of(piece.score).parts.max())
            if len(song.bars) <= bars or not (song.notes[:, 4] == MELODY).any():
                continue
            regions = tuple(find(song, bars))
            kept = themed if len(regions) > 1 else others
            kept.append(replace(song, themes=regions or ((0, bars),)))
        modes = ("themes", "regular") if windows_at == "both" else (windows_at,)
        self.items: list[ThemeItem] = []
        for song in themed or others:
            tokens = encode(song, vocabulary)
            theme = first_theme(tokens, vocabulary).tokens
            for mode in modes:
                self.items += [ThemeItem(theme, one) for one in windows(tokens, vocabulary, length=length, at=mode)]
        self.songs = len(themed or others)

    def batch(self, items: Sequence[int], *, seed: int | None) -> ThemeBatch:
        """Some of the items, each moved in pitch by chance, theme and window alike; with no seed they stay."""
        rows = []
        for number in items:
            item = self.items[number]
            theme, tokens = list(item.theme), list(item.window.tokens)
            if seed is not None:
                low, high = shift_range(theme + tokens, self.vocabulary)
                if self.transpose is not None:
                    low, high = max(low, -self.transpose), min(high, self.transpose)
                rng = np.random.default_rng((seed, number))
                by = int(rng.integers(low, high + 1)) if low <= high else 0
                theme, tokens = (shift_pitches(part, self.vocabulary, by) for part in (theme, tokens))
            rows.append((theme, tokens, item.window.labels))
        theme, tokens, labels = (_pad([row[part] for row in rows]) for part in range(3))
        return ThemeBatch(theme, theme != self.vocabulary.pad, tokens, labels)


def _pad(rows: Sequence[Sequence[int]]) -> Int[Tensor, "batch time"]:
    padded = torch.zeros(len(rows), max(len(row) for row in rows), dtype=torch.long)
    for number, row in enumerate(rows):
        padded[number, : len(row)] = torch.tensor(row)
    return padded
