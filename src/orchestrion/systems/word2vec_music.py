"""Word2vec for music: slices of a beat as words (Chuan, Agres & Herremans 2018, arXiv 1811.12408; before them Herremans
& Chuan 2017, arXiv 1706.09088).

The pitch classes of a beat are a word. Skip-gram gives each word a vector from the words around it; what is near a
chord is what harmony calls related, and a slice can be swapped for a near one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from orchestrion.errors import InputError, OptionError
from orchestrion.evaluation.slice_space import SliceSpace, in_key, substitute, tonal_distance
from orchestrion.paradigms.skip_gram import (
    context_counts,
    draw_negatives,
    expected_negative_sampling,
    log_uniform,
    nce_loss,
    unigram,
)
from orchestrion.representations.slices import SILENCE, drop_long_silences, score_slices
from orchestrion.systems.card import Card
from orchestrion.systems.registry import register
from orchestrion.systems.slice_swap import swap_slices
from orchestrion.systems.system import System
from orchestrion.systems.tasks import Music, Progress
from orchestrion.theory.keys import find_key
from orchestrion.training.stage import Loss, Objective, Share, Stage

if TYPE_CHECKING:
    from symusic.core import ScoreTick

    from orchestrion.data.piece import Piece

UNKNOWN = 0  # id of all words that are not in the vocabulary
SHIPPED = Path(__file__).parents[1] / "representations" / "slices_compact.txt"
LEARNING = ("sampled", "expected")


@register("word2vec_music")
class Word2VecMusic(System):
    """Skip-gram over slices.

    Args:
        words: the vocabulary, most frequent first, or "shipped" for that of the compact corpus, or a number for a
            vocabulary that is found in training pieces (see `find_words`).
        dim: of the vectors.
        window: neighbours on each side.
        beats: length of a slice in quarter notes.
        legacy: the published slicer's ends; see `score_slices`.
        learning: "sampled" (noise-contrastive estimation on batches, SGD; published) or "expected" (negative sampling
            summed over all pairs, Adam).
        negatives: drawn for a batch ("sampled"), or for a pair ("expected").
        batch_size, training_steps, learning_rate: of the training; a batch is of pairs.
        start: size of the first vectors; what is left of large ones blurs the distances.
    """

    card: ClassVar[Card] = Card(
        name="word2vec_music",
        title="From Context to Concept: Exploring Semantic Relationships in Music with Word2Vec",
        arxiv="1811.12408",
        tasks=("replace_slices",),
        modalities=("score",),
        licence="Apache-2.0",
        code="https://github.com/ChinghuaChuan/musicWord2Vec",
        code_licence="GPL-3.0 (readme) and Apache-2.0 (file headers)",
        claims=(
            "V, IV and vi lie nearer to the tonic triad than chords from outside of the key, but not if slices are "
            "shuffled.",
            "The farther two keys are along the circle of fifths, the farther apart are their slices.",
            "How many neighbours a substitute is drawn from decides how often it stays in the key.",
            "Choosing the substitute by the pitch classes of the neighbours keeps it in the key more often.",
        ),
    )
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "mini": {
            "words": "shipped",
            "dim": 64,
            "learning": "expected",
            "negatives": 5,
            "training_steps": 100,
            "learning_rate": 0.02,
            "start": 0.01,
        },
        "paper": {"words": 500},
        "script": {"words": 2000},
        "sonatas": {"words": 14_314, "dim": 128, "window": 1, "learning_rate": 1.0},
    }

    def __init__(
        self,
        *,
        words: Sequence[int] | str | int = 500,
        dim: int = 256,
        window: int = 4,
        beats: float = 1.0,
        legacy: bool = False,
        learning: str = "sampled",
        negatives: int = 64,
        batch_size: int = 128,
        training_steps: int = 1_000_000,
        learning_rate: float = 0.1,
        start: float = 1.0,
    ) -> None:
        super().__init__()
        if learning not in LEARNING:
            raise OptionError(f"learning is {learning!r}; it must be 'sampled' or 'expected'.")
        if isinstance(words, str) and words != "shipped":
            raise OptionError(f"There is no vocabulary {words!r}; give 'shipped', a number, or the words themselves.")
        if isinstance(words, str):
            words = [int(word) for word in SHIPPED.read_text(encoding="utf-8").split()]
        self.words = () if isinstance(words, int) else tuple(int(word) for word in words)
        if any(not 0 <= word < 4096 for word in self.words) or len(set(self.words)) < len(self.words):
            raise OptionError("The words of a vocabulary must be different numbers from 0 to 4095.")
        size = (words if isinstance(words, int) else len(self.words)) + 1
        self.window, self.beats, self.legacy = window, beats, legacy
        self.learning, self.negatives, self.batch_size = learning, negatives, batch_size
        self.training_steps, self.learning_rate = training_steps, learning_rate
        self.vectors = nn.Parameter(torch.empty(size, dim).uniform_(-start, start))
        self.output = nn.Parameter(nn.init.trunc_normal_(torch.empty(size, dim), std=start * dim**-0.5))
        self.bias = nn.Parameter(torch.zeros(size))

    def spelled_out(self) -> dict[str, Any]:
        """The words themselves."""
        return {"words": list(self.words)} if self.words else {}

    # Representation (section 3.1) -------------------------------------------------------------------------------------

    def slices(self, score: ScoreTick) -> list[int]:
        """The words of a score."""
        return score_slices(score, beats=self.beats, legacy=self.legacy)

    def ids(self, words: Sequence[int]) -> list[int]:
        """Ids of words; 0 for those outside of the vocabulary."""
        places = {word: number for number, word in enumerate(self.words, 1)}
        return [places.get(word, UNKNOWN) for word in words]

    def texts(self, pieces: Sequence[Piece]) -> list[list[int]]:
        """Words of pieces, runs of silence cut to one."""
        return [drop_long_silences(self.slices(piece.score)) for piece in pieces if piece.score is not None]

    @staticmethod
    def find_words(texts: Sequence[Sequence[int]], count: int) -> list[int]:
        """The `count` most frequent words, most frequent first; of equal ones the smaller number."""
        seen = Counter(word for text in texts for word in text)
        return [word for word, _ in sorted(seen.items(), key=lambda item: (-item[1], item[0]))[:count]]

    # Objective (section 3.2) ------------------------------------------------------------------------------------------

    def logits(self) -> Float[Tensor, "words words"]:
        """Of all neighbours (columns) for all centres (rows)."""
        return self.vectors @ self.output.T + self.bias

    def sampled_loss(self, pairs: Int[Tensor, "batch 2"]) -> Loss:
        """Noise-contrastive estimation of (centre, neighbour) pairs with negatives of Zipf's law."""
        chance = torch.from_numpy(log_uniform(len(self.bias))).float().to(self.device)
        drawn = draw_negatives(chance, min(self.negatives, len(self.bias)))
        expected = -torch.expm1(len(drawn) * torch.log1p(-chance))
        value = nce_loss(
            self.vectors[pairs[:, 0]], pairs[:, 1], drawn, self.output, self.bias, expected.clamp(min=1e-9).log()
        )
        return Loss(value, len(pairs))

    def expected_loss(self, batch: tuple[Tensor, Tensor]) -> Loss:
        """Negative sampling over all pairs at once; `batch` is the counts of pairs and the noise."""
        return Loss(expected_negative_sampling(self.logits(), *batch, self.negatives))

    # Training ---------------------------------------------------------------------------------------------------------

    def stages(self, train: Sequence[Piece], validation: Sequence[Piece]) -> list[Stage]:
        """One stage over all pieces. A vocabulary that is only a number is found in the training pieces first.

        Raises:
            InputError: the pieces have no two slices in a row.
        """
        texts = self.texts(train)
        if not self.words:
            found = self.find_words(texts, len(self.bias) - 1)
            spare = (word for word in range(4096) if word not in set(found))
            self.words = (*found, *(next(spare) for _ in range(len(self.bias) - 1 - len(found))))
        ids = [self.ids(text) for text in texts]
        counts = context_counts(ids, words=len(self.bias), window=self.window)
        if not counts.any():
            raise InputError(
                "The pieces have no two slices in a row, so that no word has a context; give other pieces."
            )
        if self.learning == "expected":
            noise = torch.from_numpy(unigram(counts.sum(1))).float()
            held = torch.from_numpy(counts).float()

            def data(step: int, share: Share) -> Any:
                return held.to(self.device), noise.to(self.device)

            def optimiser(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
                return torch.optim.Adam(parameters, lr=self.learning_rate)

            loss: Any = self.expected_loss
        else:
            stream = np.concatenate([np.array(text, np.int64) for text in ids if text])

            def data(step: int, share: Share) -> Any:
                return self._pairs(stream, share.of(range(self.batch_size)), step)

            def optimiser(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
                return torch.optim.SGD(parameters, lr=self.learning_rate)

            loss = self.sampled_loss
        steps = self.training_steps
        objective = Objective(
            "skip_gram",
            loss,
            self.parameters(),
            optimiser,
            schedule=(lambda step: 1 - 0.9 * min(step / steps, 1.0))
            if self.learning == "expected"
            else lambda step: 1.0,
            clip=None,
        )
        return [Stage("skip_gram", steps, data, [objective])]

    def _pairs(self, stream: np.ndarray, places: Sequence[int], step: int) -> Int[Tensor, "batch 2"]:
        """Pairs of a batch: centres in the order of the stream, each with all its neighbours, as published; pieces
        follow each other without a gap."""
        around = [offset for offset in range(-self.window, self.window + 1) if offset]
        numbers = step * self.batch_size + np.array(places)
        inner = max(len(stream) - 2 * self.window, 1)
        centres = self.window + numbers // len(around) % inner
        neighbours = centres + np.array(around)[numbers % len(around)]
        last = len(stream) - 1
        pairs = np.stack([stream[np.minimum(centres, last)], stream[np.clip(neighbours, 0, last)]], 1)
        return torch.from_numpy(pairs).to(self.device)

    # Tasks: analysis and substitution (sections 4 and 5) --------------------------------------------------------------

    def space(self) -> SliceSpace:
        """The vectors of the words, without that of unknown ones.

        Raises:
            OptionError: there is no vocabulary yet.
        """
        if not self.words:
            raise OptionError("This size has no vocabulary before it is trained; load trained weights.")
        return SliceSpace.from_vectors(self.words, self.vectors.detach().cpu().numpy()[1:])

    def replace_slices(
        self,
        score: ScoreTick,
        *,
        share: float = 0.3,
        neighbours: int = 20,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Music:
        """The score with a share of its slices swapped for related ones: rhythm, velocities and drums are kept.

        Args:
            share: of the slices that have a vector.
            neighbours: words among which a substitute is looked for; more of them stray farther from the key.
        """
        space = self.space()
        words = self.slices(score)
        known = [n for n, word in enumerate(words) if word != SILENCE and space.place(word) is not None]
        order = np.random.default_rng(seed).permutation(known) if known else []
        chosen = sorted(int(n) for n in order[: round(share * len(known))])
        swaps: dict[int, int] = {}
        for done, place in enumerate(chosen, 1):
            found = substitute(space, words[place], neighbours)
            if found is not None:
                swaps[place] = found
            if progress is not None:
                progress(done, len(chosen))
        made = swap_slices(score, swaps, beats=self.beats)
        after = self.slices(made)
        key = find_key(score)
        realised = [after[place] for place in swaps if place < len(after)]
        report = {
            "slices": len(words),
            "slices without a vector": len(words) - len(known) - words.count(SILENCE),
            "replaced": len(swaps),
            "tonal distance": _mean([tonal_distance(words[place], new) for place, new in swaps.items()]),
            "key": str(key) if key else None,
            "in the key, as words": _mean([float(in_key(new, key)) for new in swaps.values()]) if key else None,
            "in the key, as played": _mean([float(in_key(word, key)) for word in realised]) if key else None,
        }
        return Music(made, report)


def _mean(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None
