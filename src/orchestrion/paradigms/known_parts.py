"""Parts of a sample that are known and kept while the rest is made: inpainting, continuation, arrangement."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from orchestrion.paradigms.noise import Noise


@dataclass(frozen=True, slots=True)
class KnownPart:
    """What is known, where `mask` is 1; both broadcast to the sample."""

    known: Float[Tensor, "*known"]
    mask: Float[Tensor, "*mask"]

    def noised(self, x: Tensor, kept: float, spread: float, draw: Noise) -> Tensor:
        """x with the known part in it, noised as much as the rest: kept · known + spread · fresh noise."""
        known = self.known.to(x).expand_as(x)
        return (kept * known + spread * draw(x)) * self.mask + x * (1 - self.mask)

    def paste(self, x: Tensor) -> Tensor:
        """x with the known part as it is."""
        return self.known * self.mask + x * (1 - self.mask)


def known_part(known: Tensor | None, mask: Tensor | None) -> KnownPart | None:
    """Both as one, or None where there is neither.

    Raises:
        ValueError: one is given without the other.
    """
    if known is None and mask is None:
        return None
    if known is None or mask is None:
        raise ValueError("known and mask go together: give both or neither")
    return KnownPart(known, mask)
