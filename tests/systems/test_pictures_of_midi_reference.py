"""Parity with the published code of Pictures of MIDI and HDiT: networks, losses, pictures, samplers, RePaint."""

import importlib.util
import inspect
import json
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from orchestrion.hub.official import pictures_of_midi as official
from orchestrion.nn.hourglass_transformer import PictureCondition
from orchestrion.paradigms import noise_levels
from orchestrion.paradigms.denoisers import edm_scaling
from orchestrion.paradigms.edm import Edm, snr_weight, soft_min_snr
from orchestrion.paradigms.parametrisation import Prediction
from orchestrion.paradigms.repaint import released, repaint_steps
from orchestrion.paradigms.schedules import NoiseSchedule, karras_sigmas
from orchestrion.paradigms.sigma_solvers import SOLVERS
from orchestrion.representations.roll_picture import (
    crop,
    draw_notes,
    keep_colours,
    read_notes,
    stack,
    timed_notes,
    unstack,
)
from orchestrion.systems.pictures_of_midi import PicturesOfMidi

HERE = Path(__file__).parents[1] / "reference"
ROOT = Path(os.environ.get("ORCHESTRION_REFERENCE", HERE)) / "pictures_of_midi"
NETWORKS = [folder for folder in sorted(ROOT.glob("*")) if (folder / "keys.json").exists()]
FUNCTIONS = [folder for folder in sorted(ROOT.glob("*")) if (folder / "functions.json").exists()]
each_network = pytest.mark.parametrize("folder", NETWORKS, ids=lambda folder: folder.name)


def fill():
    path = ROOT.parent / "fill.py"
    spec = importlib.util.spec_from_file_location("reference_fill", path if path.exists() else HERE / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@each_network
def test_network_and_losses(folder):
    case = json.loads((folder / "case.json").read_text())
    model = PicturesOfMidi(**official.arguments(case["arguments"])).eval()
    state = {key: torch.from_numpy(value) for key, value in fill().state_dict(folder).items()}
    model.load_state_dict(official.convert(state))
    data = {key: torch.from_numpy(value) for key, value in np.load(folder / "data.npz").items()}
    classes = data.get("class_cond")
    told = PictureCondition(data.get("aug_cond"), None if classes is None else classes.long(), data.get("mapping_cond"))
    time, sigma = data["sigma"].log() / 4, data["sigma"]
    network = model.network
    close = partial(torch.testing.assert_close, rtol=case["tolerance"], atol=case["tolerance"])
    with torch.no_grad():
        condition = network.condition(time, told)
        close(condition, data["cond"])
        tokens = network.patch_in(data["x"].movedim(1, -1))
        table = network.rotations(*tokens.shape[1:3], device=tokens.device)[0]
        for layer in network.down[0]:
            tokens = layer(tokens, table, condition)
        close(tokens, data["down_0"])
        close(network(data["x"], time, told), data["network_output"])
        scales = edm_scaling(sigma_data=model.edm.sigma_data)(sigma)
        noised = data["x"] + sigma[:, None, None, None] * data["noise"]
        wide = (slice(None), None, None, None)
        output = network(noised * scales.into[wide], time, told)
        close(noised * scales.skip[wide] + output * scales.out[wide], data["denoised"])
        for weighting, name in (("soft_min_snr", "loss"), ("uniform", "loss_karras"), ("snr", "loss_snr")):
            if name in data:
                edm = Edm(sigma_data=model.edm.sigma_data, weighting=weighting, loss_scales=model.edm.loss_scales)
                close(edm.losses(network, data["x"], told, sigma, data["noise"]), data[name])


@pytest.mark.parametrize(
    "folder", [one for one in NETWORKS if (one / "paper_keys.json").exists()], ids=lambda folder: folder.name
)
def test_every_published_key_has_its_place_at_full_size(folder):
    keys = json.loads((folder / "paper_keys.json").read_text())
    with torch.device("meta"):
        model = PicturesOfMidi.from_preset("paper")
        state = {key: torch.empty(shape) for key, shape in keys.items() if not key.startswith("_")}
    assert model.parameter_count == keys["_parameters"]
    ours = official.convert(state)
    assert {key: tuple(value.shape) for key, value in ours.items()} == {
        key: tuple(value.shape) for key, value in model.state_dict().items()
    }
    prefixed = official.convert({f"inner_model.{key}": value for key, value in state.items()})
    assert prefixed.keys() == ours.keys()


@pytest.fixture(scope="module", params=FUNCTIONS, ids=lambda folder: folder.name)
def functions(request):
    folder = request.param
    return (
        json.loads((folder / "functions.json").read_text()),
        np.load(folder / "functions.npz"),
        np.load(folder / "codec.npz"),
    )


def test_densities_of_noise_levels(functions):
    table = functions[0]["sigma_densities"]
    u = torch.tensor(table["u"])
    for name, expected in table.items():
        if name in ("what", "u"):
            continue
        numbers = [float(word.rstrip(",")) for word in name.replace(",", " ").split() if is_number(word.rstrip(","))]
        kind = name.split()[0]
        if kind == "cosine_interpolated":
            words = [float(word) for word in name.replace(",", " ").split() if is_number(word)]
            side, low, high, data, least, most = words
            ours = noise_levels.cosine_interpolated(
                u, image_d=int(side), noise_d_low=int(low), noise_d_high=int(high), sigma_data=data,
                min_value=least, max_value=most,
            )  # fmt: skip
        elif kind == "v_diffusion":
            ours = noise_levels.v_diffusion(u, sigma_data=numbers[0], min_value=numbers[1], max_value=numbers[2])
        elif kind == "log_uniform":
            ours = noise_levels.log_uniform(u, min_value=numbers[0], max_value=numbers[1])
        elif kind == "log_normal":
            inside = (u > 0) & (u < 1)
            found = noise_levels.log_normal(u, loc=numbers[0], scale=numbers[1])
            ours = torch.where(inside, found, torch.tensor(expected)[: len(u)] if len(expected) == len(u) else found)
        else:
            scale, least, most = numbers[-3:]
            ours = noise_levels.log_logistic(u, loc=float(np.log(0.5)), scale=scale, min_value=least, max_value=most)
        torch.testing.assert_close(
            ours, torch.tensor(expected), rtol=2e-3, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}"
        )


def is_number(word):
    try:
        float(word)
    except ValueError:
        return False
    return True


def test_levels_scales_and_weights(functions):
    table = functions[0]["karras_sigmas"]
    for name, expected in table.items():
        if name != "what":
            count, low, high = name.split()
            found = karras_sigmas(int(count.removeprefix("n=")), sigma_min=float(low), sigma_max=float(high), rho=7.0)
            torch.testing.assert_close(found.float(), torch.tensor(expected), rtol=1e-4, atol=1e-6)
    table = functions[0]["preconditioning"]
    sigma = torch.tensor(table["sigma"])
    scales = edm_scaling(sigma_data=0.5)(sigma)
    for found, name in (
        (scales.skip, "c_skip"), (scales.out, "c_out"), (scales.into, "c_in"), (snr_weight(sigma), "snr"),
        (soft_min_snr(sigma), "soft_min_snr"),
    ):  # fmt: skip
        torch.testing.assert_close(found, torch.tensor(table[name]), rtol=1e-4, atol=1e-8)


def test_soft_masks(functions):
    table = functions[0]["soft_mask"]
    values, steps = torch.tensor(table["mask"]), table["steps"]
    for number, expected in enumerate(table["binary"]):
        assert torch.equal(released(values, number, steps).int(), torch.tensor(expected, dtype=torch.int32))


def test_repaint_as_polyffusion(functions):
    arrays = {name: torch.from_numpy(functions[1][name]) for name in functions[1].files}
    beta = arrays["repaint_beta"]
    schedule = NoiseSchedule((1 - beta.double()).cumprod(0))
    steps = len(beta)

    def predict(x, t):
        noise = 0.3 * x + 0.02 * t / steps + 0.1 * x.sin()
        kept = float(schedule.alphas_cumprod[int(t)])
        return Prediction((x - (1 - kept) ** 0.5 * noise) / kept**0.5, noise)

    for name in arrays:
        if name.startswith("polyffusion_paint_r"):
            repeats = int(name.removeprefix("polyffusion_paint_r"))
            draws = arrays["repaint_noise"][: functions[0]["repaint"]["draws_used"][str(repeats)]]
            found = repaint_steps(
                predict, arrays["repaint_xT"], schedule, known=arrays["repaint_orig"], mask=arrays["repaint_mask"],
                repeats=repeats, noise=iter(draws), quirks="official",
            )  # fmt: skip
            torch.testing.assert_close(found, arrays[name], rtol=1e-4, atol=1e-4)


def test_samplers(functions):
    arrays = {name: torch.from_numpy(functions[1][name]) for name in functions[1].files}
    s, mu = functions[0]["samplers"]["s"], arrays["mu"]

    def denoise(x, sigma):
        return (s**2 * x + sigma**2 * mu) / (s**2 + sigma**2) + 0.05 * x.tanh() * sigma / (1 + sigma)

    cases = {
        "dpmpp_2m_sde_midpoint_eta0": ("dpmpp_2m_sde", {"eta": 0.0}),
        "dpmpp_2m_sde_midpoint_eta1": ("dpmpp_2m_sde", {"eta": 1.0}),
        "dpmpp_3m_sde_eta1": ("dpmpp_3m_sde", {"eta": 1.0}),
        "euler": ("euler", {}),
        "heun": ("heun", {}),
        "dpmpp_2m": ("dpmpp_2m", {}),
        "euler_ancestral_eta1": ("euler_ancestral", {"eta": 1.0}),
        "dpmpp_2s_ancestral": ("dpmpp_2s_ancestral", {}),
    }
    for name, (solver, options) in cases.items():
        if name in arrays:
            found = SOLVERS[solver](
                denoise, arrays["x_start"], arrays["sigmas"], noise=iter(arrays["noise"]), **options
            )
            torch.testing.assert_close(found, arrays[name], rtol=1e-4, atol=1e-4, msg=lambda m, n=name: f"{n}: {m}")


def test_pictures(functions):
    table, _, codec = functions
    about = table["midi_to_image"]
    tracks = {
        name: np.array(notes, float).reshape(-1, 4)
        for name, notes in about["tracks_start_end_pitch_velocity"].items()
        if name in ("MELODY", "PIANO")
    }
    first = min(notes[:, 0].min() for notes in tracks.values())
    columns = codec["image_TOTAL"].shape[1]

    def drawn(*names, style="start"):
        notes = np.concatenate([tracks[name] for name in tracks if name in names])
        grid = timed_notes(
            notes[:, 0] - first, notes[:, 1] - first, notes[:, 2], notes[:, 3],
            columns_per_second=about["start_tempo"] / 60 * 8,
        )  # fmt: skip
        return draw_notes(grid, columns, style=style, quirks="official")

    assert np.array_equal(drawn("MELODY"), codec["image_MELODY"])
    assert np.array_equal(drawn("PIANO"), codec["image_PIANO"])
    assert np.array_equal(drawn("MELODY", "PIANO"), codec["image_TOTAL"])
    early = codec["style_early_first_40_columns"]
    width = early.shape[1] - 1  # the published picture ends there, so that a note behind it has no mark
    assert np.array_equal(drawn("MELODY", "PIANO", style="early")[:, :width], early[:, :width])
    starts = range(0, columns, 16)
    assert any(np.array_equal(crop(codec["image_TOTAL"], start, 512), codec["crop"]) for start in starts)
    assert np.array_equal(stack(codec["crop"]), codec["stacked"])
    assert np.array_equal(unstack(codec["stacked"]), codec["crop"])


@pytest.mark.parametrize(
    ("picture", "key", "require_onsets"),
    [
        ("crop", "decode_total_crop", True),
        ("stacked", "decode_stacked", True),
        ("noisy", "decode_noisy_require_onsets_True", True),
        ("noisy", "decode_noisy_require_onsets_False", False),
        ("tiny", "decode_tiny", True),
    ],
)
def test_notes_of_pictures(functions, picture, key, require_onsets):
    table, _, codec = functions
    pixels = codec[picture]
    if picture == "noisy":
        kept = keep_colours(pixels, require_onsets=require_onsets)
        assert np.array_equal(kept, codec[f"filtered_require_onsets_{require_onsets}"])
    pixels = unstack(pixels) if picture == "stacked" else pixels
    notes = read_notes(pixels, border=1, require_onsets=require_onsets, quirks="official")
    found = sorted(
        [start / 8, (start + length) / 8, pitch, velocity] for start, length, pitch, velocity in notes.tolist()
    )
    assert found == sorted(table[key]["notes"])


def test_arguments_of_the_converter_are_arguments_of_the_system():
    known = set(inspect.signature(PicturesOfMidi.__init__).parameters)
    for folder in NETWORKS:
        assert set(official.arguments(json.loads((folder / "case.json").read_text())["arguments"])) <= known
