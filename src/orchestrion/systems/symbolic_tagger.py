"""A listener of our own: the genre of a score, from its notes.

A small perceptron over `analysis.symbolic_vector`, trained on the genre labels of the corpus, where a genre is the
style of the accompaniment. It takes the place of the audio taggers in the MidiCaps pipeline (arXiv 2406.02255) and
gives what they give: activations of tags. Train it again with `python -m orchestrion.systems.symbolic_tagger`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from symusic.core import ScoreTick
from torch import Tensor, nn

from orchestrion.analysis.symbolic import SymbolicFeatures, features
from orchestrion.analysis.symbolic_vector import VECTOR_NAMES, symbolic_vector
from orchestrion.analysis.tags import top_tags
from orchestrion.data.piece import Piece
from orchestrion.errors import WeightsError

WEIGHTS = Path(__file__).parents[1] / "weights" / "symbolic_tagger.safetensors"
GENRES_NAMED, GENRE_THRESHOLD = 2, 0.05  # as the released rows: two genres, activations above 0.05


class SymbolicTagger(nn.Module):
    """Vector of a score → probabilities of genres.

    Args:
        genres: names, in the order of the outputs.
        width: hidden units.
        inputs: length of the vector.
        dropout: share of inputs and hidden units left out in training.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self, genres: Sequence[str], *, width: int = 96, inputs: int = len(VECTOR_NAMES), dropout: float = 0.3
    ) -> None:
        super().__init__()
        self.genres = tuple(genres)
        self.width = width
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))
        self.layers = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, len(genres))
        )

    def forward(self, vectors: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch genres"]:
        """Logits of the genres."""
        return self.layers(((vectors - self.mean) * self.scale).clamp(-6, 6))

    @torch.inference_mode()
    def probabilities(self, score: ScoreTick, found: SymbolicFeatures) -> np.ndarray:
        """[genres] probabilities for one score and its features."""
        self.eval()
        return self(torch.from_numpy(symbolic_vector(score, found))[None]).softmax(-1)[0].numpy()

    def tag(self, score: ScoreTick, found: SymbolicFeatures) -> tuple[list[str], list[float]]:
        """The best genres and their probabilities, as a row of the captioned data set has them."""
        return top_tags(
            self.probabilities(score, found), self.genres, max_num_tags=GENRES_NAMED, threshold=GENRE_THRESHOLD
        )

    def save(self, path: Path, metadata: dict[str, str]) -> None:
        """Weights in half precision, with genres, inputs and `metadata` in the header."""
        from safetensors.torch import save_file

        header = {
            "genres": json.dumps(self.genres),
            "width": str(self.width),
            "inputs": json.dumps(VECTOR_NAMES),
            **metadata,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({k: v.half().contiguous() for k, v in self.state_dict().items()}, path, header)

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> SymbolicTagger:
        """The tagger that comes with the package, or another file.

        Raises:
            WeightsError: the file is missing, damaged, or made for other inputs.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "pt") as file:
                header = file.metadata() or {}
                weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise WeightsError(f"The tagger's weights at {path} cannot be read ({error}); train them again.") from error
        if tuple(json.loads(header.get("inputs", "[]"))) != VECTOR_NAMES:
            raise WeightsError(f"The tagger's weights at {path} are for other inputs; train them again.")
        tagger = cls(json.loads(header["genres"]), width=int(header["width"]))
        tagger.load_state_dict(weights)
        return tagger.eval()


def vectors_and_labels(pieces: Iterable[Piece], genres: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Inputs [pieces, inputs] and genre indices [pieces]."""
    index = {genre: i for i, genre in enumerate(genres)}
    vectors, labels = [], []
    for piece in pieces:
        if piece.score is None or piece.genre not in index:
            raise ValueError(f"piece {piece.id} lacks a score or has the unknown genre {piece.genre!r}")
        vectors.append(symbolic_vector(piece.score, features(piece.score, chord_frame=None)))
        labels.append(index[piece.genre])
    return torch.from_numpy(np.stack(vectors)), torch.tensor(labels)


def train(
    vectors: Float[Tensor, "pieces inputs"], labels: Tensor, genres: Sequence[str], *, steps: int = 1500, seed: int = 0
) -> SymbolicTagger:
    """Cross-entropy with AdamW over random batches of 256; each genre weighs the same."""
    torch.manual_seed(seed)
    tagger = SymbolicTagger(genres)
    tagger.mean.copy_(vectors.mean(0))
    tagger.scale.copy_(1 / vectors.std(0).clamp(min=0.05))
    weight = 1 / torch.bincount(labels, minlength=len(genres)).clamp(min=1).float().sqrt()
    optimiser = torch.optim.AdamW(tagger.parameters(), lr=3e-3, weight_decay=0.03)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    for _ in range(steps):
        batch = torch.randint(len(labels), (256,))
        loss = nn.functional.cross_entropy(tagger(vectors[batch]), labels[batch], weight=weight, label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return tagger.eval()


@torch.inference_mode()
def accuracy(tagger: SymbolicTagger, vectors: Float[Tensor, "pieces inputs"], labels: Tensor) -> tuple[float, float]:
    """Share of pieces whose genre is the first, and among the first two."""
    best = tagger(vectors).topk(2).indices
    right = best == labels[:, None]
    return float(right[:, 0].float().mean()), float(right.any(1).float().mean())


def unseen_groove_accuracy(
    pieces: Sequence[Piece], vectors: Tensor, labels: Tensor, genres: Sequence[str]
) -> tuple[float, float]:
    """Accuracy on accompaniment styles that were not trained on: every third groove of each genre with three or more.

    A split by tune alone flatters the tagger, since the grooves of its test pieces are those of its training pieces.
    """
    groove = [f"{piece.genre}/{piece.tags.get('groove', ['?'])[0]}" for piece in pieces]
    of_genre: dict[str, list[str]] = {}
    for name in sorted(set(groove)):
        of_genre.setdefault(name.split("/")[0], []).append(name)
    held = {name for names in of_genre.values() if len(names) >= 3 for name in names[1::3]}
    out = torch.tensor([name in held for name in groove])
    return accuracy(train(vectors[~out], labels[~out], genres), vectors[out], labels[out])


def main() -> None:
    """Trains on the compact corpus and writes the bundled weights, with the held-out accuracies in the header."""
    from orchestrion.data.corpus import corpus_hash, load_corpus

    corpus = {split: load_corpus("compact", split=split)[:] for split in ("train", "validation", "test")}
    genres = sorted({piece.genre for piece in corpus["train"] if piece.genre})
    sets = {split: vectors_and_labels(pieces, genres) for split, pieces in corpus.items()}
    tagger = train(*sets["train"], genres)
    scores = {split: accuracy(tagger, *data) for split, data in sets.items()}
    scores["unseen_groove"] = unseen_groove_accuracy(corpus["train"], *sets["train"], genres)
    metadata = {f"{name}_accuracy": f"{first:.3f} first, {two:.3f} among two" for name, (first, two) in scores.items()}
    metadata |= {"command": "python -m orchestrion.systems.symbolic_tagger", "seed": "0", "licence": "Apache-2.0"}
    metadata["corpus"] = corpus_hash("compact")
    tagger.save(WEIGHTS, metadata)
    print(json.dumps(metadata, indent=1))


if __name__ == "__main__":
    main()
