"""Diffusion as a paradigm: exact answers where the data is a Gaussian, what each argument does, and what is refused."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.paradigms.denoisers import schedule_scaling
from orchestrion.paradigms.diffusion import Diffusion
from orchestrion.paradigms.edm import Edm
from orchestrion.paradigms.guidance import classifier_free, guide, rescale_guidance
from orchestrion.paradigms.multistep_solvers import dpmpp
from orchestrion.paradigms.noise_levels import log_uniform
from orchestrion.paradigms.parametrisation import target
from orchestrion.paradigms.schedules import NoiseSchedule, timesteps
from orchestrion.paradigms.sigma_solvers import SOLVERS

SCHEDULE = NoiseSchedule.scaled_linear()
MEAN, SPREAD = 0.7, 0.4


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussian(parametrisation: str, schedule: NoiseSchedule = SCHEDULE):
    """The perfect network for numbers of N(MEAN, SPREAD²); a condition moves the mean."""

    def network(x, t, condition):
        a, s = schedule.scales(t, x)
        mean = MEAN + (0.0 if condition is None else condition.view(-1, *(1,) * (x.ndim - 1)))
        clean = mean + a * SPREAD**2 / (a**2 * SPREAD**2 + s**2) * (x - a * mean)
        return target(parametrisation, clean, (x - a * clean) / s, a, s)

    return network


@pytest.mark.parametrize(
    ("sampler", "parametrisation"),
    [
        *((sampler, kind) for sampler in ("ddim", "ddpm", "dpmpp_2m_sde") for kind in ("epsilon", "v", "sample")),
        *((sampler, "v") for sampler in SOLVERS if sampler != "dpmpp_2m_sde"),
    ],
)
def test_every_sampler_draws_from_the_distribution_that_the_network_knows(sampler, parametrisation):
    diffusion = Diffusion(schedule=SCHEDULE, parametrisation=parametrisation)
    steps = 200 if sampler in ("ddpm", "euler_ancestral") else 40
    made = diffusion.sample(
        gaussian(parametrisation), (2000, 2), steps=steps, sampler=sampler, generator=seeded(1), karras=True
    )
    assert float(made.mean()) == pytest.approx(MEAN, abs=0.03)
    assert float(made.std()) == pytest.approx(SPREAD, abs=0.04)


def test_all_deterministic_samplers_agree_when_steps_are_many():
    diffusion, start = Diffusion(schedule=SCHEDULE), torch.randn(4, 3, generator=seeded(2))
    made = {
        name: diffusion.sample(gaussian("epsilon"), (4, 3), steps=60, sampler=name, start=start)
        for name in ("ddim", "euler", "heun", "dpmpp_2m", "dpmpp_3m", "lms", "unipc")
    }
    for name, value in made.items():
        torch.testing.assert_close(value, made["heun"], atol=4e-2, rtol=0, msg=name)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("solver", ["midpoint", "heun"])
def test_a_step_to_the_same_level_changes_nothing(order, solver):
    x, levels = torch.randn(2, 3, generator=seeded(16)), torch.tensor([4.0, 2.0, 1.0, 0.5, 0.5], dtype=torch.float64)

    def sampled(sigmas):
        return dpmpp(lambda x, sigma: x / (1 + sigma), x, sigmas, order=order, solver=solver, eta=1.0, noise=seeded(17))

    torch.testing.assert_close(sampled(levels), sampled(levels[:-1]), rtol=0, atol=0)


def test_loss_of_the_perfect_network_is_the_least():
    x = MEAN + SPREAD * torch.randn(4000, 1, generator=seeded(3))
    for parametrisation in ("epsilon", "v", "sample"):
        diffusion = Diffusion(schedule=SCHEDULE, parametrisation=parametrisation)
        network = gaussian(parametrisation)
        best = float(diffusion.loss(network, x, generator=seeded(4)))
        worse = float(diffusion.loss(lambda *a, n=network: n(*a) * 1.1, x, generator=seeded(4)))
        zero = float(diffusion.loss(lambda x, t, c: torch.zeros_like(x), x, generator=seeded(4)))
        assert best < worse < zero
        assert float(diffusion.loss(network, x, generator=seeded(4))) == best


def test_losses_equal_a_naive_version():
    x, noise, t = torch.randn(3, 2, 4), torch.randn(3, 2, 4), torch.tensor([0, 500, 999])

    def network(x, t, condition):
        return 0.3 * x + condition

    for parametrisation in ("epsilon", "v", "sample"):
        for norm in ("l1", "l2"):
            diffusion = Diffusion(schedule=SCHEDULE, parametrisation=parametrisation, weighting="min_snr", norm=norm)
            ours = diffusion.losses(network, x, 0.1, t, noise)
            for i in range(3):
                kept = float(SCHEDULE.alphas_cumprod[t[i]])
                a, s, snr = kept**0.5, (1 - kept) ** 0.5, kept / (1 - kept)
                wanted = {"epsilon": noise[i], "sample": x[i], "v": a * noise[i] - s * x[i]}[parametrisation]
                error = 0.3 * (a * x[i] + s * noise[i]) + 0.1 - wanted
                weight = min(snr, 5) / {"epsilon": snr, "sample": 1, "v": snr + 1}[parametrisation]
                size = error.abs().mean() if norm == "l1" else error.square().mean()
                torch.testing.assert_close(ours[i], size * weight, rtol=1e-4, atol=1e-6)


def test_min_snr_weighs_the_clean_error_alike_in_all_parametrisations():
    """The error of x_0 is s²/a² that of ε and s² that of v; weights make up for it."""
    t = torch.tensor([10, 400, 900])
    weights = {
        name: Diffusion(schedule=SCHEDULE, parametrisation=name, weighting="min_snr").weights(t)
        for name in ("epsilon", "v", "sample")
    }
    a, s = SCHEDULE.scales(t, weights["v"])
    torch.testing.assert_close(weights["epsilon"] * a**2 / s**2, weights["sample"], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(weights["v"] / s**2, weights["sample"], rtol=1e-4, atol=1e-6)
    as_published = Diffusion(schedule=SCHEDULE, parametrisation="v", weighting="min_snr_as_epsilon").weights(t)
    assert torch.equal(as_published, weights["epsilon"])


def test_known_parts_are_kept_and_the_rest_follows_them():
    """Two numbers that are always equal: knowing the first makes the second."""
    schedule = SCHEDULE

    def network(x, t, condition):
        a, s = schedule.scales(t, x)
        mean = x.mean(1, keepdim=True)
        clean = (a / (a**2 + s**2 / 2) * mean).expand_as(x)
        return (x - a * clean) / s

    known, mask = torch.tensor([[0.9, 0.0]]).expand(300, 2).clone(), torch.tensor([[1.0, 0.0]])
    diffusion = Diffusion(schedule=schedule)
    for sampler, eta in (("ddim", 1.0), ("ddpm", None), ("euler_ancestral", 1.0)):
        options = {"steps": 40, "sampler": sampler, "eta": eta, "known": known, "mask": mask}
        made = diffusion.sample(network, (300, 2), generator=seeded(5), **options)
        assert torch.equal(made[:, 0], known[:, 0])
        assert float(made[:, 1].mean()) == pytest.approx(0.9, abs=0.12)
        loose = diffusion.sample(network, (300, 2), generator=seeded(5), paste=False, **options)
        assert torch.equal(loose[:, 1], made[:, 1])
        assert not torch.equal(loose[:, 0], made[:, 0])


def test_a_mask_of_ones_gives_back_what_is_known():
    known = torch.randn(2, 3)
    made = Diffusion(schedule=SCHEDULE).sample(
        gaussian("epsilon"), (2, 3), steps=5, known=known, mask=torch.ones(1, 3), generator=seeded(6)
    )
    assert torch.equal(made, known)


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "dpmpp_2m_sde"])
def test_a_seed_gives_the_same_however_often_it_is_asked(sampler):
    diffusion = Diffusion(schedule=SCHEDULE)
    made = [
        diffusion.sample(gaussian("epsilon"), (2, 3), steps=6, sampler=sampler, eta=1.0, generator=seeded(7))
        for _ in range(10)
    ]
    assert torch.equal(made[0], made[-1])
    other = diffusion.sample(gaussian("epsilon"), (2, 3), steps=6, sampler=sampler, eta=1.0, generator=seeded(8))
    assert not torch.equal(made[0], other)


def test_guidance_moves_towards_the_condition_and_away_from_the_negative_prompt():
    diffusion, start = Diffusion(schedule=SCHEDULE), torch.randn(200, 1, generator=seeded(9))

    def mean(condition, unconditional, scale):
        made = diffusion.sample(
            gaussian("epsilon"),
            (200, 1),
            torch.tensor([condition]).expand(200),
            steps=30,
            guidance=scale,
            unconditional=torch.tensor([unconditional]),
            start=start,
        )
        return float(made.mean())

    plain = mean(1.0, 0.0, 1.0)
    assert plain == pytest.approx(MEAN + 1, abs=0.1)
    assert mean(1.0, 0.0, 2.0) > plain + 0.5
    assert mean(1.0, 2.0, 2.0) < plain - 0.5
    assert mean(1.0, 1.0, 3.0) == pytest.approx(plain, abs=1e-4)


def test_guidance_asks_once_for_both_branches_and_not_at_all_for_the_second_at_scale_1():
    calls = []

    def network(x, t, condition):
        calls.append(x.shape[0])
        return x * condition["a"][:, None] + condition["b"][0][:, None]

    x, t = torch.randn(3, 2), torch.zeros(3, dtype=torch.long)
    with_it = {"a": torch.ones(3), "b": (torch.full((3,), 2.0), None)}
    without = {"a": torch.zeros(1), "b": (torch.full((1,), 5.0), None)}
    joint = classifier_free(network, scale=3.0, unconditional=without)(x, t, with_it)
    assert calls == [6]
    apart = classifier_free(network, scale=3.0, unconditional=without, joint=False)(x, t, with_it)
    assert calls == [6, 3, 3]
    torch.testing.assert_close(joint, apart)
    torch.testing.assert_close(joint, 5 + 3 * (x + 2 - 5))
    classifier_free(network, scale=1.0, unconditional=without)(x, t, with_it)
    assert calls == [6, 3, 3, 3]
    shorter = {"a": torch.zeros(1), "b": (torch.full((1,), 5.0), 1)}  # another structure: two calls
    classifier_free(network, scale=2.0, unconditional=shorter)(x, t, with_it)
    assert calls[-2:] == [3, 3]


def test_rescaled_guidance_has_the_spread_of_the_conditional_prediction():
    with_it, without = torch.randn(4, 50), torch.randn(4, 50)
    strong = guide(with_it, without, 7.0)
    torch.testing.assert_close(rescale_guidance(strong, with_it, 1.0).std(1), with_it.std(1))
    assert torch.equal(rescale_guidance(strong, with_it, 0.0), strong)


def test_a_clipped_sample_stays_in_range_and_progress_is_told():
    told = []
    made = Diffusion(schedule=SCHEDULE).sample(
        lambda x, t, c: torch.zeros_like(x),
        (8, 8),
        steps=7,
        clip=1.0,
        generator=seeded(10),
        progress=lambda done, total: told.append((done, total)),
    )
    assert float(made.abs().max()) <= 1 + 1e-5
    assert told == [(n + 1, 7) for n in range(7)]


def test_zero_terminal_schedule_starts_from_pure_noise():
    schedule = NoiseSchedule.scaled_linear().zero_terminal()
    assert float(schedule.alphas_cumprod[-1]) == 0
    diffusion = Diffusion(schedule=schedule, parametrisation="v", weighting="min_snr")
    assert float(diffusion.weights(torch.tensor([999]))) == 0  # the v-weight min(SNR, γ)/(SNR + 1)
    made = diffusion.sample(gaussian("v", schedule), (500, 2), steps=50, spacing="trailing", generator=seeded(11))
    assert float(made.mean()) == pytest.approx(MEAN, abs=0.05)
    with pytest.raises(ValueError, match="not epsilon"):
        Diffusion(schedule=schedule)
    with pytest.raises(ValueError, match="pure noise"):
        diffusion.sample(gaussian("v", schedule), (1, 2), steps=5, sampler="euler", spacing="trailing")


def test_latent_diffusion_steps():
    assert timesteps(1000, 5, spacing="strided", offset=1) == [801, 601, 401, 201, 1]
    assert len(timesteps(1000, 6, spacing="strided", offset=1)) == 7
    assert max(timesteps(1000, 3, spacing="strided", offset=1)) == 667  # 1000 is beyond the table
    assert timesteps(1000, 1000) == list(range(999, -1, -1))


def test_trailing_steps_are_as_many_as_asked():
    for total in range(1, 120):
        for steps in range(1, total + 1):
            found = timesteps(total, steps, spacing="trailing")
            assert len(found) == steps
            assert 0 <= found[-1] <= found[0] == total - 1


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 300), st.data(), st.sampled_from(["leading", "trailing", "linspace", "strided"]))
def test_steps_fall_strictly_within_the_table(total, data, spacing):
    steps = data.draw(st.integers(1, total))
    found = timesteps(total, steps, spacing=spacing)
    assert found == sorted(set(found), reverse=True)
    assert 0 <= found[-1] <= found[0] <= total - 1
    assert len(found) == steps or spacing == "strided"


@settings(deadline=None, max_examples=20)
@given(st.floats(0.02, 0.98))
def test_levels_and_steps_are_inverse(share):
    t = torch.tensor([share * 999])
    back = SCHEDULE.steps_of(SCHEDULE.sigmas_at(t, interpolation="log"))
    torch.testing.assert_close(back, t.double(), rtol=1e-6, atol=1e-6)


def test_linear_levels_lead_back_to_their_steps():
    """Half a step between σ₉₈ and σ₉₉, where logarithms would give another step."""
    schedule = NoiseSchedule.linear(steps=100)
    t = torch.tensor([98.5])
    middle = schedule.sigmas_at(t)
    assert float(middle[0]) == pytest.approx(float(schedule.sigmas[98:].mean()))
    back = schedule.steps_of(middle, interpolation="linear")
    torch.testing.assert_close(back, t.double())
    assert float(schedule.steps_of(middle)[0]) != pytest.approx(98.5, abs=1e-5)
    scaling = schedule_scaling(schedule, "v", interpolation="linear")
    torch.testing.assert_close(scaling(middle).time, t.double())
    with pytest.raises(ValueError, match="interpolation"):
        schedule.steps_of(middle, interpolation="cubic")


def test_published_third_order_has_another_sign():
    sigmas = torch.tensor([0, -1, -2, -3.0], dtype=torch.float64).exp()
    seen = {1.0: 0.0, float(sigmas[1]): 0.0, float(sigmas[2]): 1.0}

    def made(**options):
        return dpmpp(
            lambda x, sigma: torch.full_like(x, seen[sigma]),
            torch.zeros(1, 1, dtype=torch.float64),
            sigmas,
            order=3,
            noise=iter([torch.zeros(1, 1)] * 3),
            **options,
        )

    # a change of 1 in the last of two steps of 1 bends by ½
    assert float(made(eta=1.0) - made(eta=1.0, quirks="official")) == pytest.approx(0.5)
    assert torch.equal(made(), made(quirks="official"))
    with pytest.raises(ValueError, match="quirks"):
        made(quirks="odd")


def test_diffusion_over_levels_draws_from_the_distribution():
    edm = Edm(
        sigma_data=SPREAD,
        sigma_max=20.0,
        weighting="soft_min_snr",
        levels=lambda u: log_uniform(u, min_value=0.01, max_value=20.0),
        time="sigma",
    )

    def network(x, sigma, condition):
        """F of the perfect denoiser of N(0, SPREAD²) is 0, as c_skip is all of it."""
        return torch.zeros_like(x)

    for sampler in ("heun", "dpmpp_2m_sde", "unipc"):
        made = edm.sample(network, (3000, 1), steps=30, sampler=sampler, generator=seeded(12))
        assert float(made.std()) == pytest.approx(SPREAD, abs=0.03)
    x = SPREAD * torch.randn(3000, 1, generator=seeded(13))
    best = float(edm.loss(network, x, generator=seeded(14)))
    assert best < float(edm.loss(lambda x, s, c: 0.3 * x, x, generator=seeded(14)))
    known = torch.full((5, 2), 0.5)
    made = edm.sample(network, (5, 2), steps=4, known=known, mask=torch.tensor([1.0, 0.0]), generator=seeded(15))
    assert torch.equal(made[:, 0], known[:, 0])
    assert not torch.equal(made[:, 1], known[:, 1])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Diffusion(schedule=SCHEDULE, weighting="p2"), "min_snr"),
        (lambda: Diffusion(schedule=SCHEDULE, parametrisation="score"), "epsilon"),
        (lambda: Diffusion(schedule=SCHEDULE, norm="huber"), "l1"),
        (lambda: Edm(weighting="p2"), "soft_min_snr"),
        (lambda: timesteps(1000, 1001), "1 to 1000"),
        (lambda: timesteps(1000, 10, spacing="odd"), "leading"),
        (lambda: NoiseSchedule.from_betas(torch.tensor([0.1, 1.5])), "beta"),
        (lambda: Diffusion(schedule=SCHEDULE).sample(gaussian("epsilon"), (1, 2), steps=2, sampler="magic"), "ddim"),
        (lambda: Edm().sample(gaussian("epsilon"), (1, 2), steps=2, sampler="magic"), "heun"),
        (
            lambda: Diffusion(schedule=SCHEDULE).sample(gaussian("epsilon"), (1, 2), steps=2, sampler="heun", eta=1.0),
            "draws no noise",
        ),
        (
            lambda: Diffusion(schedule=SCHEDULE).sample(gaussian("epsilon"), (1, 2), steps=2, known=torch.zeros(1, 2)),
            "together",
        ),
        (
            lambda: Diffusion(schedule=SCHEDULE).sample(
                gaussian("epsilon"), (1, 2), steps=3, eta=1.0, noise=[torch.zeros(1, 2)]
            ),
            "more noise",
        ),
        (
            lambda: Diffusion(schedule=SCHEDULE).sample(
                gaussian("epsilon"), (1, 2), steps=3, eta=1.0, noise=[torch.zeros(1, 3)]
            ),
            "shape",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()
