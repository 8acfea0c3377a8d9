"""Schedules and samplers against what diffusers and k-diffusion gave on analytic networks, for every stored case."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from orchestrion.paradigms import ancestral_solvers, multistep_solvers, noise_levels, one_step_solvers, schedules
from orchestrion.paradigms.denoisers import (
    continuous_v_scaling,
    continuous_v_sigma,
    denoiser,
    edm_scaling,
    scaled_loss,
    schedule_scaling,
)
from orchestrion.paradigms.diffusion import Diffusion
from orchestrion.paradigms.edm import soft_min_snr
from orchestrion.paradigms.parametrisation import read_prediction, target
from orchestrion.paradigms.samplers import ddim, ddpm
from orchestrion.paradigms.schedules import NoiseSchedule, timesteps

ROOT = Path(os.environ.get("ORCHESTRION_REFERENCE", Path(__file__).parents[1] / "reference")) / "samplers"


class Case:
    def __init__(self, folder: Path) -> None:
        self.about: dict[str, Any] = json.loads((folder / "case.json").read_text())
        self.functions: dict[str, Any] = json.loads((folder / "functions.json").read_text())
        self.arrays = np.load(folder / "functions.npz")

    def __getitem__(self, name: str) -> torch.Tensor:
        return torch.from_numpy(self.arrays[name])


def folders(repository: str) -> list[Path]:
    found = [folder for folder in sorted(ROOT.glob("*")) if (folder / "case.json").exists()]
    return [folder for folder in found if repository in json.loads((folder / "case.json").read_text())["repository"]]


def close(ours: torch.Tensor, published: torch.Tensor, tolerance: float) -> None:
    """Relative to the largest value of the state."""
    torch.testing.assert_close(
        ours, published, rtol=0, atol=tolerance * float(published.abs().max()), check_dtype=False
    )


# diffusers ------------------------------------------------------------------------------------------------------------

DIFFUSERS = [Case(folder) for folder in folders("diffusers")]
EACH_DIFFUSERS = pytest.mark.parametrize(
    ("case", "key"), [pytest.param(case, key, id=key) for case in DIFFUSERS for key in case.functions]
)
KINDS = {"epsilon": "epsilon", "v_prediction": "v", "sample": "sample"}


SHARED: dict[str, Any] = {
    "beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02, "num_train_timesteps": 1000,
    "prediction_type": "epsilon", "steps_offset": 0,
}  # fmt: skip
BY_STEPS = SHARED | {
    "timestep_spacing": "leading", "clip_sample": True, "clip_sample_range": 1.0, "rescale_betas_zero_snr": False,
}  # fmt: skip
BY_LEVELS = SHARED | {"timestep_spacing": "linspace"}
ONE_STEP = BY_LEVELS | {"use_karras_sigmas": False, "use_exponential_sigmas": False}
MULTISTEP = BY_LEVELS | {
    "rescale_betas_zero_snr": False, "use_karras_sigmas": False,
    "solver_order": 2, "lower_order_final": True, "final_sigmas_type": "zero",
}  # fmt: skip
SERVED: dict[str, dict[str, Any]] = {
    "DDPMScheduler": BY_STEPS | {"variance_type": "fixed_small"},
    "DDIMScheduler": BY_STEPS | {"set_alpha_to_one": True},
    "DPMSolverMultistepScheduler": MULTISTEP
    | {"solver_type": "midpoint", "algorithm_type": "dpmsolver++", "euler_at_final": False},
    "UniPCMultistepScheduler": MULTISTEP | {"solver_type": "bh2"},
    "EulerDiscreteScheduler": ONE_STEP | {"final_sigmas_type": "zero", "rescale_betas_zero_snr": False},
    "HeunDiscreteScheduler": ONE_STEP
    | {"beta_start": 0.00085, "beta_end": 0.012, "clip_sample": False, "clip_sample_range": 1.0},
    "EulerAncestralDiscreteScheduler": BY_LEVELS | {"rescale_betas_zero_snr": False},
}
"""Options that are followed here, and what diffusers takes where they are left out."""

CHOICES: dict[str, tuple[str, ...]] = {
    "beta_schedule": ("linear", "scaled_linear", "squaredcos_cap_v2"),
    "prediction_type": tuple(KINDS),
    "timestep_spacing": ("leading", "linspace", "trailing"),
    "variance_type": ("fixed_small", "fixed_small_log", "fixed_large"),
    "algorithm_type": ("dpmsolver++", "sde-dpmsolver++"),
    "solver_type": ("midpoint", "heun", "bh1", "bh2"),
    "final_sigmas_type": ("zero", "sigma_min"),
}
WITHOUT_EFFECT: dict[str, tuple[Any, ...]] = {
    "trained_betas": (None,), "thresholding": (False,), "clip_sample": (False,), "rescale_betas_zero_snr": (False,),
    "use_exponential_sigmas": (False,), "use_beta_sigmas": (False,), "use_lu_lambdas": (False,),
    "use_flow_sigmas": (False,), "use_dynamic_shifting": (False,), "final_sigmas_type": ("zero",),
    "interpolation_type": ("linear",), "timestep_type": ("discrete",), "predict_x0": (True,),
    "disable_corrector": ([], ()), "solver_p": (None,), "variance_type": (None,),
}  # fmt: skip
"""Values of options that are not followed, with which they do nothing."""


def settled(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """All settings of a scheduler.

    Raises:
        ValueError: it has an option, or a value of one, that is not followed here.
    """
    if name not in SERVED:
        raise ValueError(f"no sampler here stands for {name}")
    for option, value in given.items():
        known = CHOICES.get(option, (value,)) if option in SERVED[name] else WITHOUT_EFFECT.get(option, ())
        if value not in known:
            raise ValueError(f"{name} with {option} = {value!r} is not followed here")
    return SERVED[name] | given


def schedule_of(settings: dict[str, Any]) -> NoiseSchedule:
    name, steps = settings["beta_schedule"], settings.get("num_train_timesteps", 1000)
    if name == "squaredcos_cap_v2":
        schedule = NoiseSchedule.cosine(steps=steps)
    else:
        make = {"linear": NoiseSchedule.linear, "scaled_linear": NoiseSchedule.scaled_linear}[name]
        schedule = make(steps=steps, start=settings.get("beta_start", 1e-4), end=settings.get("beta_end", 0.02))
    return schedule.zero_terminal() if settings.get("rescale_betas_zero_snr") else schedule


def rounded_schedule(settings: dict[str, Any]) -> NoiseSchedule:
    """The same as diffusers keeps it: in float32, where 1 − β loses digits, as cosine betas near 0 and 1 show."""
    betas = schedule_of(settings).betas.float()
    kept = (1 - betas).cumprod(0).double()
    if settings.get("rescale_betas_zero_snr") and "clip_sample" not in settings:
        kept[-1] = 2**-24  # samplers over levels begin just below pure noise
    return NoiseSchedule(kept)


def analytic(schedule: NoiseSchedule, kind: str):
    """The network of the cases: exact for data of mean 0.3 and variance 0.25, and a little bent."""
    table = schedule.alphas_cumprod.numpy()

    def network(x, t, condition=None):
        kept = float(np.interp(float(t[0]), np.arange(len(table)), table))
        a, s, mean, variance = kept**0.5, (1 - kept) ** 0.5, 0.3, 0.25
        clean = mean + a * variance / (kept * variance + 1 - kept) * (x - a * mean) + 0.1 * x.tanh()
        noise = (x - a * clean) / s
        return target(kind, clean, noise, torch.tensor(a), torch.tensor(s)).to(x)

    return network


def run_steps(case: Case, key: str, entry: dict[str, Any]) -> list[torch.Tensor]:
    """States after each step of a sampler over steps."""
    settings, states = settled(entry["class"], entry["settings"]), []
    schedule, steps = rounded_schedule(settings), case.about["steps"]
    kind = KINDS[settings["prediction_type"]]
    visited = timesteps(schedule.steps, steps, spacing=settings["timestep_spacing"], offset=settings["steps_offset"])
    assert visited == entry["timesteps"]
    diffusion = Diffusion(schedule=schedule, parametrisation=kind)
    clip = settings["clip_sample_range"] if settings["clip_sample"] else None
    shared = {
        "noise": iter(case["noise"]),
        "watch": lambda step: states.append(step.x),
        "final_alpha": 1.0 if settings.get("set_alpha_to_one", True) else float(schedule.alphas_cumprod[0]),
    }
    predict = diffusion.predict(analytic(schedule, kind), None, clip=clip)
    start = case["x_start_unit"] * entry["init_noise_sigma"]
    if entry["class"] == "DDPMScheduler":
        variance = settings["variance_type"].split("_")[1]  # that of fixed_small_log is the same
        result = ddpm(predict, start, schedule, visited, variance=variance, **shared)
    else:
        # In this version a step leads to t − T // steps, whatever the spacing.
        eta = {"eta0": 0.0, "eta05": 0.5, "eta1": 1.0}[key.split("|")[0].removeprefix("ddim_")]
        previous = [t - schedule.steps // steps for t in visited]
        result = ddim(predict, start, schedule, visited, previous=previous, eta=eta, **shared)
    return [*states[1:], result]


def run_levels(case: Case, entry: dict[str, Any]) -> list[torch.Tensor]:
    """States after each step of a sampler over noise levels."""
    name, settings, states = entry["class"], settled(entry["class"], entry["settings"]), []
    schedule, steps, kind = rounded_schedule(settings), case.about["steps"], KINDS[settings["prediction_type"]]
    preserving = name in ("DPMSolverMultistepScheduler", "UniPCMultistepScheduler")
    spacing = settings["timestep_spacing"]
    visited = timesteps(
        schedule.steps,
        steps,
        spacing=spacing,
        offset=settings["steps_offset"],
        without_last=preserving,
        rounded=preserving or spacing != "linspace",
    )
    sigmas = schedule.sigmas_at(torch.tensor(visited))
    make = "karras" if settings.get("use_karras_sigmas") else "exponential"
    if settings.get(f"use_{make}_sigmas"):
        ends = schedule.sigmas[[0, -1]] if preserving else sigmas[[-1, 0]]
        levels = {"karras": schedules.karras_sigmas, "exponential": schedules.exponential_sigmas}[make]
        sigmas = levels(steps, sigma_min=float(ends[0]), sigma_max=float(ends[1]))[:-1]
        visited = schedule.steps_of(sigmas, rounded=preserving).tolist()
    last = float(schedule.sigmas[0]) if settings.get("final_sigmas_type") == "sigma_min" else 0.0
    sigmas = torch.cat([sigmas, torch.tensor([last], dtype=torch.float64)])
    published = entry["sigmas"] if name != "HeunDiscreteScheduler" else [*entry["sigmas"][:-1:2], entry["sigmas"][-1]]
    stored = entry["timesteps"] if name != "HeunDiscreteScheduler" else entry["timesteps"][::2]
    np.testing.assert_allclose(sigmas, published, rtol=1e-3)  # 1 − β loses digits in float32
    np.testing.assert_allclose(visited, stored, atol=2e-3)
    way = "log" if preserving or settings.get(f"use_{make}_sigmas") else "linear"
    scaling = schedule_scaling(schedule, kind, rounded=preserving, interpolation=way)
    clip = settings["clip_sample_range"] if settings.get("clip_sample") else None
    denoise = denoiser(analytic(schedule, kind), None, scaling, clip=clip)
    scale = (sigmas.square() + 1).rsqrt() if preserving else torch.ones_like(sigmas)
    start = case["x_start_unit"] * entry["init_noise_sigma"] / float(scale[0])
    options: dict[str, Any] = {"watch": lambda step: states.append(step.x)}
    if name == "DPMSolverMultistepScheduler":
        final = [1] if settings["euler_at_final"] else []
        if steps < 15 and settings["lower_order_final"]:
            final = [2, 1]
        result = multistep_solvers.dpmpp(
            denoise,
            start,
            sigmas,
            order=settings["solver_order"],
            solver=settings["solver_type"],
            eta=1.0 if settings["algorithm_type"] == "sde-dpmsolver++" else 0.0,
            final_orders=final,
            noise=iter(case["noise"]),
            quirks="official",
            **options,
        )
    elif name == "UniPCMultistepScheduler":
        result = multistep_solvers.unipc(
            denoise,
            start,
            sigmas,
            order=settings["solver_order"],
            variant=settings["solver_type"],
            lower_at_end=settings["lower_order_final"],
            **options,
        )
    elif name == "EulerAncestralDiscreteScheduler":
        noise = iter(case["noise"])
        result = ancestral_solvers.euler_ancestral(denoise, start, sigmas, noise=noise, **options)
    else:
        solver = {"EulerDiscreteScheduler": one_step_solvers.euler, "HeunDiscreteScheduler": one_step_solvers.heun}
        result = solver[name](denoise, start, sigmas, **options)
    return [state * float(factor) for state, factor in zip([*states[1:], result], scale[1:], strict=True)]


@EACH_DIFFUSERS
def test_sampler_of_diffusers(case, key):
    entry, published = case.functions[key], case[key]
    by_steps = entry["class"] in ("DDPMScheduler", "DDIMScheduler")
    ours = run_steps(case, key, entry) if by_steps else run_levels(case, entry)
    if entry["class"] == "HeunDiscreteScheduler":  # the states between are those of the first half of a step
        published = published[[*range(1, len(published), 2), len(published) - 1]]
    assert len(ours) == len(published)
    for mine, theirs in zip(ours, published, strict=True):
        close(mine, theirs, max(1e-4, 20 * entry["rounding"]))


def test_settings_left_out_are_those_of_diffusers():
    found = settled("DPMSolverMultistepScheduler", {"beta_schedule": "scaled_linear", "use_lu_lambdas": False})
    assert (found["solver_order"], found["solver_type"], found["prediction_type"]) == (2, "midpoint", "epsilon")
    betas = schedule_of(found).betas
    assert (float(betas[0]), float(betas[-1])) == pytest.approx((1e-4, 0.02))
    assert settled("HeunDiscreteScheduler", {})["beta_end"] == 0.012


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("EulerDiscreteScheduler", {"use_beta_sigmas": True}),
        ("UniPCMultistepScheduler", {"use_exponential_sigmas": True}),
        ("EulerAncestralDiscreteScheduler", {"final_sigmas_type": "sigma_min"}),
        ("UniPCMultistepScheduler", {"predict_x0": False}),
        ("DDPMScheduler", {"variance_type": "fixed_large_log"}),
        ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver"}),
        ("DDIMScheduler", {"beta_schedule": "sigmoid"}),
        ("LMSDiscreteScheduler", {}),
    ],
)
def test_settings_that_are_not_followed_are_refused(name, given):
    with pytest.raises(ValueError, match=name):
        settled(name, given)


@pytest.mark.parametrize("case", DIFFUSERS)
def test_schedules_of_diffusers(case):
    for entry in case.about["schedules"].values():
        index, schedule = entry["index"], schedule_of(entry["settings"])
        np.testing.assert_allclose(schedule.betas[index], entry["betas"], rtol=1e-4)
        np.testing.assert_allclose(schedule.alphas_cumprod[index], entry["alphas_cumprod"], rtol=1e-4)
        ended = schedule.zero_terminal().alphas_cumprod
        np.testing.assert_allclose(ended[index], entry["alphas_cumprod_zero_terminal_snr"], rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("case", DIFFUSERS)
def test_noising_of_diffusers(case):
    schedule, t = schedule_of(case.about["schedules"]["scaled_linear"]["settings"]), torch.tensor([0, 500, 999])
    x, noise = case["add_noise_x0"], case["add_noise_noise"]
    close(schedule.add_noise(x, noise, t), case["add_noise_out"], 1e-5)
    close(target("v", x, noise, *schedule.scales(t, x)), case["velocity_out"], 1e-5)


# k-diffusion ----------------------------------------------------------------------------------------------------------

K_DIFFUSION = [Case(folder) for folder in folders("k-diffusion")]
SOLVERS = {
    "sample_euler": one_step_solvers.euler,
    "sample_heun": one_step_solvers.heun,
    "sample_dpm_2": one_step_solvers.midpoint,
    "sample_lms": multistep_solvers.lms,
    "sample_euler_ancestral": ancestral_solvers.euler_ancestral,
    "sample_dpm_2_ancestral": ancestral_solvers.midpoint_ancestral,
    "sample_dpmpp_2s_ancestral": ancestral_solvers.dpmpp_2s_ancestral,
    "sample_dpmpp_sde": ancestral_solvers.dpmpp_sde,
    "sample_dpmpp_2m": multistep_solvers.dpmpp,
    "sample_dpmpp_2m_sde": multistep_solvers.dpmpp,
    "sample_dpmpp_3m_sde": multistep_solvers.dpmpp,
}
OWN_DEFAULTS = {
    "sample_dpmpp_2m_sde": {"eta": 1.0},
    "sample_dpmpp_3m_sde": {"eta": 1.0, "order": 3, "solver": "heun"},
}
OPTIONS = {"s_noise": "noise_scale", "solver_type": "solver", "r": "middle_at"}
DRAWLESS = ("sample_lms",)


def floats(values: dict[str, Any]) -> dict[str, Any]:
    """Numbers as they are meant: in JSON 1.0 may have become 1."""
    counts = ("order", "image_d", "noise_d_low", "noise_d_high")
    return {name: float(v) if isinstance(v, int) and name not in counts else v for name, v in values.items()}


def options_of(function: str, given: dict[str, Any]) -> dict[str, Any]:
    """Our names of a sampler's official arguments."""
    given = floats(given)
    if function in ("sample_euler", "sample_heun", "sample_dpm_2"):
        names = {"s_churn": "amount", "s_tmin": "low", "s_tmax": "high", "s_noise": "scale"}
        return {"churn": one_step_solvers.Churn(**{names[name]: value for name, value in given.items()})}
    return OWN_DEFAULTS.get(function, {}) | {OPTIONS.get(name, name): value for name, value in given.items()}


@pytest.mark.parametrize(
    ("case", "key"),
    [pytest.param(case, key, id=key) for case in K_DIFFUSION for key in case.functions["samplers"]["cases"]],
)
def test_sampler_of_k_diffusion(case, key):
    entry = case.functions["samplers"]["cases"][key]
    ends = {"sigma_min": case.about["sigma_min"], "sigma_max": case.about["sigma_max"]}
    make = {"karras": schedules.karras_sigmas, "exponential": schedules.exponential_sigmas}[key.split("|")[1]]
    sigmas = make(case.about["steps"], **ends)

    def denoise(x, sigma):
        clean = (0.25 * x + sigma**2 * 0.3) / (0.25 + sigma**2)
        return clean + 0.1 * (2 * x).sin() * sigma / (1 + sigma) ** 2

    seen = []
    options = options_of(entry["function"], entry["arguments"])
    if entry["function"] not in DRAWLESS:
        options["noise"] = iter(case["noise"])
    start = case["x_unit"] * float(sigmas[0])
    result = SOLVERS[entry["function"]](denoise, start, sigmas, watch=seen.append, **options)
    tolerance = max(case.about["tolerance"], 20 * entry["rounding"])
    for number, step in enumerate(seen):
        close(step.x, case[f"{key}|x"][number], tolerance)
        close(step.clean, case[f"{key}|denoised"][number], tolerance)
    close(result, case[f"{key}|result"], tolerance)


@pytest.mark.parametrize("case", K_DIFFUSION)
def test_levels_of_k_diffusion(case):
    steps, values = case.about["steps"], case.functions["sigmas"]["values"]
    ends = {"sigma_min": case.about["sigma_min"], "sigma_max": case.about["sigma_max"]}
    ours = {
        "karras": schedules.karras_sigmas(steps, **ends),
        "karras_rho5": schedules.karras_sigmas(steps, rho=5.0, **ends),
        "exponential": schedules.exponential_sigmas(steps, **ends),
        "polyexponential_rho2": schedules.polyexponential_sigmas(steps, rho=2.0, **ends),
        "vp": schedules.vp_sigmas(steps),
    }
    for name, published in values.items():
        np.testing.assert_allclose(ours[name], published, rtol=1e-3 if name == "vp" else 1e-5)  # exp − 1 in float32
    for number, eta, down, up in case.functions["ancestral_step"]["rows"]:
        sigmas = values["karras"]
        found = ancestral_solvers.ancestral_step(sigmas[number], sigmas[number + 1], eta=eta)
        np.testing.assert_allclose(found, (down, up), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("case", K_DIFFUSION)
def test_wrappers_of_k_diffusion(case):
    schedule = NoiseSchedule.scaled_linear(start=0.00085, end=0.012)
    x, noise, sigma = case["wrap_x"], case["wrap_noise"], case["wrap_sigma"]
    scalings = {
        "eps": schedule_scaling(schedule, "epsilon"),
        "eps_quantized": schedule_scaling(schedule, "epsilon", rounded=True),
        "v": schedule_scaling(schedule, "v"),
        "v_diffusion": continuous_v_scaling(),
        "karras": edm_scaling(sigma_data=0.5, time="sigma"),
        "karras_soft_min_snr": edm_scaling(sigma_data=0.5, time="sigma"),
    }

    def network(x, t, condition):
        return 0.3 * x + 0.5 * x.tanh() * (t[:, None] / 300).cos()

    for name, row in case.functions["wrappers"]["rows"].items():
        scaling = scalings[name]
        denoise = denoiser(network, None, scaling)
        ours = torch.cat([denoise(x[i : i + 1], float(sigma[i])) for i in range(len(x))])
        close(ours, case[f"wrap_out_{name}"], 1e-4)
        weight = soft_min_snr(sigma, sigma_data=0.5) if name == "karras_soft_min_snr" else 1.0
        losses = scaled_loss(network, None, scaling, x, noise, sigma) * weight
        np.testing.assert_allclose(losses, row["loss"], rtol=1e-4)
        if "sigma_to_t" in row:
            np.testing.assert_allclose(scaling(sigma).time, row["sigma_to_t"], rtol=1e-4)
        if "get_sigmas(5)" in row:
            visited = torch.tensor(timesteps(schedule.steps, 5, spacing="linspace", rounded=False))
            found = [*schedule.sigmas_at(visited, interpolation="log").tolist(), 0.0]
            np.testing.assert_allclose(found, row["get_sigmas(5)"], rtol=1e-4)
        for key, published in row.items():
            if key.startswith("t_to_sigma"):
                at = torch.tensor(json.loads("[" + key.removeprefix("t_to_sigma(").rstrip(")") + "]"))
                to = continuous_v_sigma(at) if name == "v_diffusion" else schedule.sigmas_at(at, interpolation="log")
                np.testing.assert_allclose(to, published, rtol=1e-4)


@pytest.mark.parametrize("case", K_DIFFUSION)
def test_noise_levels_of_k_diffusion(case):
    entry = case.functions["sigma_distributions"]
    draws = torch.tensor(entry["u"])
    for name, row in entry["values"].items():
        ours = getattr(noise_levels, name.removeprefix("rand_"))(draws, **floats(row["arguments"]))
        np.testing.assert_allclose(ours, row["out"], rtol=1e-4)


def test_prediction_is_the_inverse_of_target():
    a, s = torch.tensor(0.6), torch.tensor(0.8)
    clean, noise = torch.randn(3, 4), torch.randn(3, 4)
    for kind in ("epsilon", "v", "sample"):
        found = read_prediction(kind, target(kind, clean, noise, a, s), a * clean + s * noise, a, s)
        torch.testing.assert_close(found.clean, clean, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(found.noise, noise, atol=1e-6, rtol=1e-5)
