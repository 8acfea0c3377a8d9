"""Precision, recall, density and coverage of generated embeddings, by nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from orchestrion.errors import OptionError
from orchestrion.evaluation.neighbours import distance_blocks, radii


@dataclass(frozen=True, slots=True)
class Coverage:
    """How generated embeddings lie among real ones.

    Attributes:
        precision: share of generated ones inside the ball of any real one (Kynkäänniemi et al. 2019,
            arXiv 1904.06991).
        recall: share of real ones inside the ball of any generated one.
        density: mean number of real balls around a generated one, divided by k (Naeem et al. 2020, arXiv
            2002.09797); about 1 for equal distributions, and may be greater.
        coverage: share of real balls with a generated one inside.
        k: a ball reaches to the k-th nearest of its own set.
        generated, reference: numbers of embeddings.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    k: int
    generated: int
    reference: int


def coverage(generated: Float[np.ndarray, "n dim"], reference: Float[np.ndarray, "m dim"], *, k: int = 5) -> Coverage:
    """All four measures; compare only values of equal k and equal numbers of embeddings.

    Raises:
        OptionError: a set has k embeddings or fewer.
    """
    if k < 1 or min(len(generated), len(reference)) <= k:
        raise OptionError(
            f"Coverage with {k} neighbours needs more than {k} embeddings in each set, not {len(generated)} and "
            f"{len(reference)}; give more sounds or a smaller k."
        )
    real, made = radii(reference, k), radii(generated, k)
    inside = np.zeros(len(generated))  # real balls around each generated embedding
    recalled, nearest = 0, np.empty(len(reference))
    for start, block in distance_blocks(reference, generated):
        rows = slice(start, start + len(block))
        inside += (block < real[rows, None]).sum(0)
        recalled += int((block < made[None]).any(1).sum())
        nearest[rows] = block.min(1)
    return Coverage(
        precision=float((inside > 0).mean()),
        recall=recalled / len(reference),
        density=float(inside.mean() / k),
        coverage=float((nearest < real).mean()),
        k=k,
        generated=len(generated),
        reference=len(reference),
    )
