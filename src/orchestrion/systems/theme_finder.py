"""A listener of our own: the themes of a score, found by contrastive learning (Shih et al. 2023, arXiv 2111.04093,
section III; the authors' network was never released).

Phrases of two bars of a melody are embedded so that a phrase and its variants (moved along the scale, last note
lengthened, notes split and joined) lie close together, and grouped by DBSCAN. Train it again with `python -m
orchestrion.systems.theme_finder`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from orchestrion.analysis.themes import EPS, LEAST_NOTES, Melody, Themes, cut_phrases, find_themes
from orchestrion.data.augment.phrases import vary
from orchestrion.data.corpus import one_of_each_tune
from orchestrion.data.piece import Piece
from orchestrion.hub.weights import BUNDLED, read_weights, write_weights
from orchestrion.nn.phrase_encoder import PhraseEncoder
from orchestrion.paradigms.contrastive import nt_xent
from orchestrion.representations.theme_remi import MELODY, ThemeSong
from orchestrion.representations.theme_song import song_of_score
from orchestrion.training.schedules import warmup_cosine

WEIGHTS = BUNDLED / "theme_finder.safetensors"
TEMPERATURE = 0.1
BATCH, STEPS, RATE = 192, 500, 2e-3


def pad(phrases: Sequence[Melody], most: int) -> tuple[Int[Tensor, "batch notes 3"], Tensor]:
    """Phrases as one array, and where it is real; of longer ones the first `most` notes."""
    longest = min(max(len(phrase) for phrase in phrases), most)
    notes = np.zeros((len(phrases), longest, 3), np.int64)
    real = np.zeros((len(phrases), longest), bool)
    for row, phrase in enumerate(phrases):
        kept = min(len(phrase), longest)
        notes[row, :kept], real[row, :kept] = phrase[:kept], True
    return torch.from_numpy(notes), torch.from_numpy(real)


class ThemeFinder:
    """An encoder of phrases and how near to each other those of a theme lie."""

    def __init__(self, encoder: PhraseEncoder, *, eps: float = EPS) -> None:
        self.encoder, self.eps = encoder.eval(), eps

    @torch.inference_mode()
    def embed(self, phrases: Sequence[Melody]) -> Float[np.ndarray, "phrases dim"]:
        """Vectors of length 1 of phrases with at least one note each."""
        return self.encoder(*pad(phrases, self.encoder.most_notes)).numpy()

    def find(self, song: ThemeSong, *, length: int = 2, eps: float | None = None) -> Themes:
        """The themes of a song's melody.

        Args:
            length: bars of a phrase.
            eps: as `analysis.themes.find_themes`; the finder's own by default.
        """
        melody = song.notes[song.notes[:, 4] == MELODY][:, :3]
        return find_themes(melody, song.bars, self.embed, length=length, eps=self.eps if eps is None else eps)

    def save(self, path: Path, metadata: dict[str, str]) -> None:
        """Weights in half precision."""
        write_weights(path, self.encoder.state_dict(), {"eps": str(self.eps), **metadata})

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> ThemeFinder:
        """The finder that comes with the package, or another file.

        Raises:
            WeightsError: the file is missing or damaged.
        """
        held = read_weights(path)
        encoder = PhraseEncoder()
        encoder.load_state_dict(held.tensors)
        return cls(encoder, eps=float(held.header.get("eps", EPS)))


@lru_cache(maxsize=1)
def _bundled() -> ThemeFinder:
    return ThemeFinder.load()


def find_regions(song: ThemeSong, bars: int) -> tuple[tuple[int, int], ...]:
    """Bars [first, last) in which the theme of a song returns, as the bundled finder hears it.

    Args:
        bars: of a theme.
    """
    return _bundled().find(song, length=bars).regions


Tunes = list[tuple[list[Melody], frozenset[int]]]
"""Of each tune its phrases and its scale."""


def tunes_of(pieces: Sequence[Piece]) -> Tunes:
    """The phrases of each tune once, whatever arrangements of it there are."""
    tunes: Tunes = []
    for piece in one_of_each_tune(pieces):
        if piece.score is None or piece.melody is None or piece.key is None:
            continue
        song = song_of_score(piece.score, melody=piece.melody, chords=())
        melody = song.notes[:, :3]
        phrases = [one.notes for one in cut_phrases(melody, song.bars) if len(one.notes) >= LEAST_NOTES]
        if phrases:
            tunes.append((phrases, piece.key.scale))
    return tunes


def train(
    tunes: Tunes, *, steps: int = STEPS, seed: int = 0, batch: int = BATCH, changes: Sequence[str] = ()
) -> PhraseEncoder:
    """NT-Xent over pairs of variants of a phrase; a batch has one phrase of each of its tunes, so that repeats are no
    negatives.

    Args:
        changes: kinds of variants that are not made: "shift", "lengths", "splits".
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    encoder = PhraseEncoder()
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=RATE, weight_decay=0.01)
    schedule = warmup_cosine(50, steps, floor=0.02)
    made = {name: name not in changes for name in ("shift", "lengths", "splits")}
    for step in range(steps):
        chosen = rng.choice(len(tunes), min(batch, len(tunes)), replace=False)
        pairs = [(tunes[i][0][rng.integers(len(tunes[i][0]))], tunes[i][1]) for i in chosen]
        first, second = (
            encoder(*pad([vary(phrase, scale, rng, **made) for phrase, scale in pairs], encoder.most_notes))
            for _ in range(2)
        )
        for group in optimiser.param_groups:
            group["lr"] = RATE * schedule(step)
        optimiser.zero_grad()
        nt_xent(first, second, temperature=TEMPERATURE).backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimiser.step()
    return encoder.eval()


def found_share(finder: ThemeFinder, tunes: Tunes, *, seed: int = 0) -> float:
    """Share of phrases, one a tune, whose nearest neighbour among variants of all is their own variant."""
    rng = np.random.default_rng(seed)
    phrases = [phrases[0] for phrases, _ in tunes]
    variants = [vary(phrases[0], scale, rng) for phrases, scale in tunes]
    nearest = (finder.embed(phrases) @ finder.embed(variants).T).argmax(1)
    return float((nearest == np.arange(len(tunes))).mean())


def main() -> None:
    """Trains on the compact corpus and writes the bundled weights."""
    from orchestrion.data.corpus import corpus_hash, load_corpus

    began = time.monotonic()
    train_tunes, held_out = (tunes_of(load_corpus("compact", split=part)) for part in ("train", "validation"))
    finder = ThemeFinder(train(train_tunes))
    metadata = {
        "command": "python -m orchestrion.systems.theme_finder",
        "seed": "0",
        "licence": "Apache-2.0",
        "corpus": corpus_hash("compact"),
        "tunes": str(len(train_tunes)),
        "held_out_found": f"{found_share(finder, held_out):.3f} of {len(held_out)}",
        "seconds": f"{time.monotonic() - began:.0f}",
    }
    finder.save(WEIGHTS, metadata)
    print(json.dumps(metadata, indent=1))


if __name__ == "__main__":
    main()
