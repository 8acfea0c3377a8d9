"""Learning by telling pairs that belong together from pairs that do not."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def nt_xent(
    first: Float[Tensor, "batch dim"], second: Float[Tensor, "batch dim"], *, temperature: float = 0.5
) -> Float[Tensor, ""]:
    """Normalised temperature-scaled cross-entropy of two views of each item (Chen et al. 2020, SimCLR, equation 1).

    Every view is told from the 2N − 2 views of other items; cosine similarity; mean over all 2N views, in nats. log(2N
    − 1) where all embeddings are equal.

    Raises:
        ValueError: there are fewer than two items, so nothing to tell apart.
    """
    count = first.shape[0]
    if count < 2:
        raise ValueError("a contrastive loss needs at least two items in a batch; take a larger batch")
    views = functional.normalize(torch.cat([first, second]), dim=-1)
    likeness = views @ views.T / temperature
    likeness.fill_diagonal_(-torch.inf)
    partner = torch.arange(2 * count, device=first.device).roll(count)
    return functional.cross_entropy(likeness, partner)


def info_nce(
    queries: Float[Tensor, "batch dim"],
    keys: Float[Tensor, "batch dim"],
    *,
    temperature: float = 0.1,
    negatives: Float[Tensor, "negatives dim"] | None = None,
) -> Float[Tensor, ""]:
    """Each query finds its key among the keys of the batch (and further negatives): −log softmax of cosines/τ, one way
    (van den Oord et al. 2018, equation 4)."""
    others = keys if negatives is None else torch.cat([keys, negatives])
    logits = functional.normalize(queries, dim=-1) @ functional.normalize(others, dim=-1).T / temperature
    return functional.cross_entropy(logits, torch.arange(queries.shape[0], device=queries.device))


def clap_loss(
    audio: Float[Tensor, "batch dim"], text: Float[Tensor, "batch dim"], *, scale: Float[Tensor, ""] | float
) -> Float[Tensor, ""]:
    """Audio finds its text and text its audio: the mean of both cross-entropies (Radford et al. 2021; Wu et al. 2023,
    LAION-CLAP, equation 2).

    Args:
        scale: what cosines are multiplied with, exp of a learned parameter, usually begun at 1/0.07.
    """
    logits = scale * functional.normalize(audio, dim=-1) @ functional.normalize(text, dim=-1).T
    own = torch.arange(audio.shape[0], device=audio.device)
    return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)) / 2


def triplet(
    anchor: Float[Tensor, "batch dim"],
    positive: Float[Tensor, "batch dim"],
    negative: Float[Tensor, "batch dim"],
    *,
    margin: float = 0.4,
) -> Float[Tensor, ""]:
    """max(0, margin − cos(a, p) + cos(a, n)), mean over the batch: the positive is nearer by a margin."""
    near = functional.cosine_similarity(anchor, positive, dim=-1)
    far = functional.cosine_similarity(anchor, negative, dim=-1)
    return torch.relu(margin - near + far).mean()


def pairwise_ranking(
    first: Float[Tensor, "batch dim"], second: Float[Tensor, "batch dim"], *, margin: float = 0.7
) -> Float[Tensor, ""]:
    """The triplet loss with every other item of the batch as a negative, both ways: Σ over negatives of max(0, margin −
    cos(x, y) + cos(x, y′)), mean over the batch (Kiros et al. 2014, equation 10)."""
    likeness = functional.normalize(first, dim=-1) @ functional.normalize(second, dim=-1).T
    own = likeness.diagonal()
    other = ~torch.eye(len(own), dtype=torch.bool, device=first.device)
    by_first = torch.relu(margin - own[:, None] + likeness) * other
    by_second = torch.relu(margin - own[None, :] + likeness) * other
    return (by_first.sum(1) + by_second.sum(0)).mean()
