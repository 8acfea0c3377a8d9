"""RePaint, soft masks, and losses over scales."""

import math

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from orchestrion.paradigms.denoisers import mean_square, multiscale_square
from orchestrion.paradigms.edm import Edm
from orchestrion.paradigms.noise_levels import split_log_normal
from orchestrion.paradigms.repaint import released, repaint, repaint_steps
from orchestrion.paradigms.sigma_solvers import SOLVERS

SIGMAS = torch.tensor([4.0, 1.0, 0.25, 0.0])


def gaussian(x, sigma):
    """The denoiser of data that are normal with variance 1."""
    return x / (1 + sigma**2)


def test_each_step_is_done_so_many_times_and_once_leaves_the_solver_as_it_is():
    x = torch.randn(2, 5, generator=torch.Generator().manual_seed(0)) * 4
    plain = SOLVERS["dpmpp_2m"](gaussian, x, SIGMAS)
    assert torch.equal(repaint(SOLVERS["dpmpp_2m"], gaussian, x, SIGMAS, repeats=1), plain)
    steps = []
    repaint(SOLVERS["euler"], gaussian, x, SIGMAS, repeats=3, watch=steps.append)
    assert [step.number for step in steps] == list(range(9))
    assert [step.level for step in steps] == [4.0] * 3 + [1.0] * 3 + [0.25] * 3
    with pytest.raises(ValueError, match="at least once"):
        repaint(SOLVERS["euler"], gaussian, x, SIGMAS, repeats=0)


def test_going_back_up_restores_the_level_of_noise():
    """In each repeat the variance of x is that of data and noise together."""
    x = torch.randn(5_000, 1, generator=torch.Generator().manual_seed(0)) * math.sqrt(17)
    seen = []
    sigmas = torch.cat([torch.linspace(2, -5, 60).exp() * 4 / math.exp(2), torch.zeros(1)])
    repaint(
        SOLVERS["dpmpp_2m_sde"], gaussian, x, sigmas, repeats=2, noise=torch.Generator().manual_seed(1),
        watch=lambda step: seen.append(float(step.x.var()) / (1 + step.level**2)),
    )  # fmt: skip
    assert len(seen) == 120 and all(abs(share - 1) < 0.15 for share in seen)


def network(x, time, condition):
    return 0.5 * x + 0.1 * x.roll(1, -1)


def test_known_places_are_kept_and_soft_ones_let_go():
    edm = Edm(sigma_min=0.05, sigma_max=8.0)
    known = torch.randn(1, 1, 4, 8, generator=torch.Generator().manual_seed(3))
    soft = torch.full((1, 1, 4, 8), 2.0)
    soft[..., 4:] = 0.0

    def make(**options):
        return edm.sample(
            network,
            (2, 1, 4, 8),
            steps=6,
            sampler="dpmpp_2m_sde",
            generator=torch.Generator().manual_seed(0),
            **options,
        )

    mask = (soft > 1).float()
    hard = make(known=known, mask=mask, repaint=2)
    assert torch.equal(hard[..., :4], known[..., :4].expand(2, 1, 4, 4))
    assert torch.equal(make(known=known, soft=soft, repaint=2), hard)
    late = make(known=known, soft=soft.clamp(max=1.0), repaint=2)  # the left half is free in the last step only
    assert not torch.equal(late[..., :4], hard[..., :4])
    near, far = (late[..., :4] - known[..., :4]).abs().mean(), (make()[..., :4] - known[..., :4]).abs().mean()
    assert near < 0.5 * far
    assert not torch.equal(make(known=known, mask=mask, repaint=1), hard)
    with pytest.raises(ValueError, match="not both"):
        make(known=known, mask=mask, soft=soft)


def test_released_by_step():
    values = torch.tensor([0.0, 0.25, 0.26, 1.0, 1.1])
    assert released(values, 0, 4).tolist() == [True, True, False, False, False]
    assert released(values, 3, 4).tolist() == [True, True, True, True, False]


def test_repainting_steps_of_a_schedule():
    from orchestrion.paradigms.parametrisation import Prediction
    from orchestrion.paradigms.schedules import NoiseSchedule

    schedule = NoiseSchedule.linear(steps=8, start=0.05, end=0.4)
    known, mask = torch.ones(1, 6), torch.tensor([[1.0, 1, 1, 0, 0, 0]])
    calls = []

    def predict(x, t):
        calls.append(int(t))
        return Prediction(torch.full_like(x, 0.5), x)

    made = repaint_steps(
        predict, torch.randn(1, 6), schedule, known=known, mask=mask, repeats=3, noise=torch.Generator().manual_seed(0)
    )
    assert calls == [t for t in range(7, 0, -1) for _ in range(3)] + [0]
    torch.testing.assert_close(made, torch.tensor([[1.0, 1, 1, 0.5, 0.5, 0.5]]))  # the last step gives the clean sample
    with pytest.raises(ValueError, match="repeats"):
        repaint_steps(predict, made, schedule, known=known, mask=mask, repeats=0)


def test_losses_over_scales_weigh_a_cosine_transform():
    error = torch.randn(2, 3, 8, 6, generator=torch.Generator().manual_seed(0))
    ramps = [-np.log2(np.linspace(0.5 / side, 0.5, side)) for side in (8, 6)]
    weight = np.minimum(np.minimum(ramps[0], 2.5)[:, None], np.minimum(ramps[1], 2.5))
    expected = (dctn(error.numpy(), axes=(2, 3), norm="ortho") ** 2 * weight).mean((1, 2, 3))
    torch.testing.assert_close(multiscale_square(error, scales=2.5), torch.from_numpy(expected).float())
    torch.testing.assert_close(
        multiscale_square(error, scales=1.0), mean_square(error)
    )  # every weight is 1, and the transform keeps lengths


def test_split_log_normal_has_its_widths():
    u = (torch.arange(20_000) + 0.5) / 20_000
    logs = split_log_normal(u, loc=0.3, scale_1=0.5, scale_2=2.0).log()
    assert bool((logs.diff() >= 0).all())
    below, above = logs[logs < 0.3] - 0.3, logs[logs > 0.3] - 0.3
    assert abs(len(below) / 20_000 - 0.2) < 1e-3
    assert abs(float(below.square().mean().sqrt()) - 0.5) < 0.01 and abs(float(above.square().mean().sqrt()) - 2) < 0.03
