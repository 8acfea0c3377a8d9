"""LARS: a learning rate for each layer, so that large batches can be trained with large rates.

You, Gitman & Ginsburg 2017 (arXiv 1708.03888), with what SimCLR (Chen et al. 2020, appendix B) makes of it: biases and
the scales of normalisations are neither decayed nor rescaled, and the rate is applied before the momentum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class Lars(torch.optim.Optimizer):
    """v ← m·v + r·t·(g + d·w); w ← w − v, with the trust ratio t = c·‖w‖ / ‖g + d·w‖.

    Args:
        lr: learning rate r.
        momentum: m.
        weight_decay: d.
        trust: c.
        quirks: "none", or "official" for SimCLR's PyTorch code that CLMR uses, which never looks its exclusions up:
            biases and scales of normalisations (tensors of one axis) are decayed and rescaled as well.

    Raises:
        ValueError: `quirks` is unknown.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        *,
        momentum: float = 0.9,
        weight_decay: float = 1e-6,
        trust: float = 1e-3,
        quirks: str = "none",
    ) -> None:
        if quirks not in ("none", "official"):
            raise ValueError(f"quirks is {quirks!r}; it must be 'none' or 'official'")
        self.quirks = quirks
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "trust": trust})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """One step; where ‖w‖ or the gradient is 0 the trust ratio is 1."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                gradient, ratio = weight.grad, 1.0
                if weight.ndim > 1 or self.quirks == "official":
                    gradient = gradient.add(weight, alpha=group["weight_decay"])
                    sizes = float(weight.norm()), float(gradient.norm())
                    if self.quirks == "official" or min(sizes) > 0:
                        ratio = group["trust"] * sizes[0] / sizes[1] if sizes[1] > 0 else 1.0
                state = self.state[weight]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(weight)
                velocity = state["momentum_buffer"]
                velocity.mul_(group["momentum"]).add_(gradient, alpha=group["lr"] * ratio)
                weight.sub_(velocity)
        return loss
