"""What a diffusion network predicts: the noise, the clean sample, or the velocity between them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

PARAMETRISATIONS = ("epsilon", "v", "sample")


@dataclass(frozen=True, slots=True)
class Prediction:
    """The clean sample x_0 and the noise ε that make up x_t = a·x_0 + s·ε, as a network sees them."""

    clean: Tensor
    noise: Tensor


def check_parametrisation(name: str) -> None:
    """Raises:
    ValueError: there is no such parametrisation.
    """
    if name not in PARAMETRISATIONS:
        raise ValueError(f"unknown parametrisation {name!r}; take epsilon, v or sample")


def target(parametrisation: str, clean: Tensor, noise: Tensor, a: Tensor, s: Tensor) -> Tensor:
    """What the network should say of x_t = a·x_0 + s·ε: ε, x_0, or v = a·ε − s·x_0 (Salimans & Ho 2022)."""
    check_parametrisation(parametrisation)
    if parametrisation == "epsilon":
        return noise
    return clean if parametrisation == "sample" else a * noise - s * clean


def read_prediction(
    parametrisation: str, output: Tensor, x: Tensor, a: Tensor | float, s: Tensor | float
) -> Prediction:
    """Clean sample and noise from a network's output for x_t, where a² + s² = 1."""
    check_parametrisation(parametrisation)
    if parametrisation == "epsilon":
        return Prediction((x - s * output) / a, output)
    if parametrisation == "sample":
        return Prediction(output, (x - a * output) / s)
    return Prediction(a * x - s * output, a * output + s * x)
