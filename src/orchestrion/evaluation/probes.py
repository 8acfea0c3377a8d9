"""Probes: small heads on frozen embeddings, trained and measured with splits that keep pieces whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from orchestrion.errors import InputError, WeightsError
from orchestrion.evaluation.tagging import TaggingScores, accuracy, pooled, tagging_scores
from orchestrion.hub.weights import read_weights, write_weights

KIND = "probe"
Task = Literal["tags", "classes"]


class Probe(nn.Module):
    """Embedding → a score for each label.

    Args:
        labels: names.
        inputs: size of the embedding.
        hidden: units of one hidden layer with ReLU; None: linear.
        task: "tags" (any number of labels at once: sigmoid) or "classes" (exactly one: softmax).
        space: names the embedding that it was trained on.

    Raises:
        ValueError: there are no labels, or the task is unknown.
    """

    def __init__(
        self,
        labels: Sequence[str],
        *,
        inputs: int,
        hidden: int | None = None,
        task: Task = "tags",
        space: str = "",
    ) -> None:
        super().__init__()
        if not labels or task not in ("tags", "classes"):
            raise ValueError("a probe needs labels, and the task 'tags' or 'classes'")
        self.labels, self.inputs, self.hidden, self.task, self.space = tuple(labels), inputs, hidden, task, space
        self.about: dict[str, Any] = {}
        widths = [inputs, *([hidden] if hidden is not None else []), len(labels)]
        self.layers = nn.ModuleList(nn.Linear(one, two) for one, two in pairwise(widths))

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch labels"]:
        """Logits."""
        for number, layer in enumerate(self.layers):
            x = layer(x if number == 0 else x.relu())
        return x

    @torch.inference_mode()
    def scores(self, vectors: Float[np.ndarray, "windows inputs"]) -> Float[np.ndarray, "windows labels"]:
        """Probabilities for each window."""
        logits = self(torch.from_numpy(np.ascontiguousarray(vectors, np.float32)))
        return (logits.sigmoid() if self.task == "tags" else logits.softmax(-1)).numpy()

    def save(self, path: Path, about: dict[str, Any] | None = None) -> str:
        """Writes it with its labels; returns the hash of the file."""
        header = {
            "kind": KIND,
            "labels": json.dumps(self.labels),
            "arguments": json.dumps({"inputs": self.inputs, "hidden": self.hidden, "task": self.task}),
            "space": self.space,
            "about": json.dumps(about or self.about),
        }
        return write_weights(path, self.state_dict(), header, half=False)

    @classmethod
    def load(cls, path: Path) -> Probe:
        """A probe as it was saved.

        Raises:
            WeightsError: the file is missing, damaged, or no probe.
        """
        held = read_weights(path)
        if held.header.get("kind") != KIND:
            raise WeightsError(f"The file {path} is no probe; make one with `orchestrion probe`.")
        try:
            arguments = json.loads(held.header["arguments"])
            probe = cls(json.loads(held.header["labels"]), **arguments, space=held.header.get("space", ""))
            probe.load_state_dict(held.tensors)
            probe.about = json.loads(held.header.get("about", "{}"))
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:160]
            raise WeightsError(f"The probe {path} is damaged ({reason}); make it again.") from error
        return probe.eval()


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a probe reaches on pieces that it was not trained on.

    Attributes:
        probe: the trained head.
        scores: areas under curves over the test pieces.
        accuracy: share of right classes; None for tags.
        chance: of `scores.pr_auc`: the mean share of pieces that have a tag (of the tags measured).
        epochs: done until the validation loss stopped falling.
        pieces: how many trained, validated and tested.
    """

    probe: Probe
    scores: TaggingScores
    accuracy: float | None
    chance: float
    epochs: int
    pieces: tuple[int, int, int]


def split_by_group(
    groups: Sequence[Hashable], *, shares: tuple[float, float, float] = (0.7, 0.1, 0.2), seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices for training, validation and test, such that all items of one group (piece, song, artist) are together.

    Each of the three has at least one group.

    Raises:
        ValueError: there are fewer than three groups.
    """
    names = list(dict.fromkeys(groups))
    if len(names) < 3:
        raise ValueError(f"{len(names)} groups cannot be split in three")
    order = np.random.default_rng(seed).permutation(len(names))
    first = min(max(round(shares[0] * len(names)), 1), len(names) - 2)
    second = min(max(round(shares[1] * len(names)), 1), len(names) - first - 1)
    place = {names[number]: int(rank >= first) + int(rank >= first + second) for rank, number in enumerate(order)}
    where = np.array([place[group] for group in groups])
    return np.flatnonzero(where == 0), np.flatnonzero(where == 1), np.flatnonzero(where == 2)


def train_probe(
    vectors: Float[np.ndarray, "windows inputs"],
    labels: Float[np.ndarray, "windows labels"],
    names: Sequence[str],
    *,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    task: Task = "tags",
    hidden: int | None = None,
    epochs: int = 200,
    patience: int = 10,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    weight_decay: float = 1e-4,
    standardise: bool = True,
    seed: int = 0,
    space: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Probe, int]:
    """Adam on binary cross-entropy (tags) or cross-entropy (classes); the weights with the least validation loss stay.

    Args:
        labels: 0 or 1; for classes one 1 a row.
        validation: vectors and labels that decide when to stop; without, all epochs are done.
        patience: epochs without a smaller validation loss until it stops.
        standardise: to mean 0 and deviation 1 of the training vectors first, which is then taken into the first layer,
            so that embeddings of any scale learn alike. The paper's probes do without.

    Returns:
        The probe and the epochs done.
    """
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.from_numpy(np.asarray(vectors, np.float32)), torch.from_numpy(np.asarray(labels, np.float32))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        probe = Probe(names, inputs=x.shape[1], hidden=hidden, task=task, space=space)
    mean, scale = torch.zeros(x.shape[1]), torch.ones(x.shape[1])
    if standardise:
        mean, scale = x.mean(0), x.std(0, correction=0)
        scale = torch.where(scale > 1e-4 * scale.mean().clamp(min=1e-8), 1 / scale.clamp(min=1e-8), 0.0)
    held = None
    if validation is not None:
        held = ((torch.from_numpy(np.asarray(validation[0], np.float32)) - mean) * scale,
                torch.from_numpy(np.asarray(validation[1], np.float32)))  # fmt: skip
    x = (x - mean) * scale
    optimiser = torch.optim.Adam(probe.parameters(), lr=learning_rate, weight_decay=weight_decay)
    best, best_state, since, done = float("inf"), None, 0, 0
    for epoch in range(epochs):
        for chosen in torch.randperm(len(x), generator=generator).split(batch_size):
            optimiser.zero_grad()
            _loss(probe(x[chosen]), y[chosen], task).backward()
            optimiser.step()
        done = epoch + 1
        if progress is not None:
            progress(done, epochs)
        if held is None:
            continue
        with torch.no_grad():
            loss = float(_loss(probe(held[0]), held[1], task))
        since = 0 if loss < best else since + 1
        if loss < best:
            best, best_state = loss, {name: value.clone() for name, value in probe.state_dict().items()}
        if since >= patience:
            break
    if best_state is not None:
        probe.load_state_dict(best_state)
    with torch.no_grad():
        first = probe.layers[0]
        assert isinstance(first, nn.Linear)
        first.weight.mul_(scale)
        first.bias.sub_(first.weight @ mean)
    return probe.eval(), done


def _loss(logits: Tensor, labels: Tensor, task: Task) -> Tensor:
    if task == "tags":
        return nn.functional.binary_cross_entropy_with_logits(logits, labels)
    return nn.functional.cross_entropy(logits, labels.argmax(-1))


def measure_probe(
    probe: Probe,
    vectors: Float[np.ndarray, "windows inputs"],
    pieces: Int[np.ndarray, " windows"],
    labels: Float[np.ndarray, "pieces labels"],
) -> tuple[TaggingScores, float | None]:
    """Scores over pieces, each the mean of the probabilities of its windows; and the accuracy of classes.

    Args:
        pieces: to which row of `labels` a window belongs.
    """
    means = pooled(probe.scores(vectors), pieces, len(labels))
    right = accuracy(labels.argmax(1), means) if probe.task == "classes" else None
    return tagging_scores(labels, means), right


def probe_pieces(
    vectors: Float[np.ndarray, "windows inputs"],
    pieces: Int[np.ndarray, " windows"],
    labels: Float[np.ndarray, "pieces labels"],
    names: Sequence[str],
    splits: tuple[np.ndarray, np.ndarray, np.ndarray],
    **options: Any,
) -> ProbeResult:
    """Trains on all windows of the training pieces, with the labels of their pieces, and measures on the test pieces.

    Args:
        splits: pieces for training, validation and test, as `split_by_group` gives them.
        options: of `train_probe`.

    Raises:
        InputError: a label has no training piece at all in any split that could be learned from.
    """
    pieces = np.asarray(pieces)
    train, validation, test = (np.isin(pieces, split) for split in splits)
    if not labels[splits[0]].any():
        raise InputError("No piece for training has a label; give more labelled pieces.")
    held = (vectors[validation], labels[pieces[validation]])
    probe, epochs = train_probe(vectors[train], labels[pieces[train]], names, validation=held, **options)
    place = {int(piece): row for row, piece in enumerate(splits[2])}
    rows = np.array([place[int(piece)] for piece in pieces[test]])
    scores, right = measure_probe(probe, vectors[test], rows, labels[splits[2]])
    measured = [tag for tag in range(len(names)) if tag not in scores.skipped]
    chance = float(labels[splits[2]][:, measured].mean()) if measured else float("nan")
    counts = tuple(len(split) for split in splits)
    return ProbeResult(probe, scores, right, chance, epochs, counts)  # type: ignore[arg-type]
