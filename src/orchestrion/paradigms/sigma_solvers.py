"""The solvers over noise levels by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from orchestrion.paradigms import ancestral_solvers, multistep_solvers, one_step_solvers
from orchestrion.paradigms.denoisers import Denoiser
from orchestrion.paradigms.noise import NoiseSource
from orchestrion.paradigms.samplers import Constrain, Watch


@dataclass(frozen=True, slots=True)
class Solver:
    """A solver and whether it draws noise, as much as η says."""

    function: Callable[..., Tensor]
    stochastic: bool

    def __call__(
        self,
        denoiser: Denoiser,
        x: Tensor,
        sigmas: Tensor,
        *,
        eta: float | None = None,
        noise: NoiseSource = None,
        constrain: Constrain | None = None,
        watch: Watch | None = None,
    ) -> Tensor:
        """Takes x = x_0 + σ·ε from the first level to the last; η is the solver's own where none is given.

        Raises:
            ValueError: η was given to a solver that draws no noise.
        """
        options: dict[str, Any] = {"constrain": constrain, "watch": watch}
        if self.stochastic:
            options |= {"noise": noise} | ({} if eta is None else {"eta": eta})
        elif eta:
            raise ValueError("this sampler draws no noise, so eta must be 0; take an ancestral or SDE sampler")
        return self.function(denoiser, x, sigmas, **options)


SOLVERS = {
    "euler": Solver(one_step_solvers.euler, False),
    "heun": Solver(one_step_solvers.heun, False),
    "midpoint": Solver(one_step_solvers.midpoint, False),
    "euler_ancestral": Solver(ancestral_solvers.euler_ancestral, True),
    "midpoint_ancestral": Solver(ancestral_solvers.midpoint_ancestral, True),
    "dpmpp_2s": Solver(partial(ancestral_solvers.dpmpp_2s_ancestral, eta=0.0), True),
    "dpmpp_2s_ancestral": Solver(ancestral_solvers.dpmpp_2s_ancestral, True),
    "dpmpp_sde": Solver(ancestral_solvers.dpmpp_sde, True),
    "lms": Solver(multistep_solvers.lms, False),
    "dpmpp_2m": Solver(partial(multistep_solvers.dpmpp, order=2), True),
    "dpmpp_3m": Solver(partial(multistep_solvers.dpmpp, order=3), True),
    "dpmpp_2m_sde": Solver(partial(multistep_solvers.dpmpp, order=2, eta=1.0), True),
    "dpmpp_3m_sde": Solver(partial(multistep_solvers.dpmpp, order=3, eta=1.0, solver="heun"), True),
    "unipc": Solver(multistep_solvers.unipc, False),
}
"""Those that draw no noise until η is raised are here by their plain name."""
