"""Parity with the pure functions of the published MusicLDM: front end, schedule, sampling, masks, mixup, loss."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
import musicldm_cases as reference

from orchestrion.analysis.spectra import audioldm_mel, audioldm_waveform
from orchestrion.codecs.mel_vae import Posterior, vae_loss
from orchestrion.data.augment import beat_mixup
from orchestrion.media.joining import best_offset, join_overlapping
from orchestrion.nn.patch_discriminator import PatchDiscriminator
from orchestrion.paradigms.adversarial import hinge_discriminator
from orchestrion.paradigms.diffusion import Diffusion
from orchestrion.paradigms.schedules import NoiseSchedule, timesteps
from orchestrion.representations.latent_masks import mask_for, next_window
from orchestrion.training.ema import Average

FUNCTIONS = [folder for folder in reference.cases("functions") if (folder / "functions.npz").exists()]
MIXUPS = reference.cases("mixup")
SCHEDULE = NoiseSchedule.scaled_linear(start=0.0015, end=0.0195)


@pytest.fixture(params=FUNCTIONS, ids=lambda folder: folder.name)
def case(request):
    return reference.functions(request.param)


def denoiser(x, t, c):
    """The analytic network of the cases."""
    t = t.view(-1, *[1] * (x.ndim - 1)).float()
    return 0.3 * x + 0.5 * torch.tanh(x) * torch.cos(t / 300) + 0.2 * c.view(-1, *[1] * (x.ndim - 1))


def close(ours, published, tolerance=1e-4):
    torch.testing.assert_close(ours, published.to(ours.dtype), rtol=tolerance, atol=tolerance)


def test_mel_front_end(case):
    _, held = case
    wave = audioldm_waveform(held["mel_wave_in"])
    close(wave, held["mel_wave_normalised"], 1e-6)
    front = audioldm_mel()
    close(front.filters, held["mel_basis"], 1e-6)
    mel, published = front(wave).mT, held["mel_out"]
    loud = published > -9
    torch.testing.assert_close(mel[loud], published[loud], rtol=0, atol=1e-3)
    torch.testing.assert_close(mel[~loud], published[~loud], rtol=0, atol=5e-3)
    close(front.magnitudes(wave).norm(dim=0), held["mel_energy"], 1e-3)


def test_schedule(case):
    table = case[0]["schedule"]
    at = torch.tensor(table["index"])
    ours = {
        "betas": SCHEDULE.betas,
        "alphas_cumprod": SCHEDULE.alphas_cumprod,
        "alphas_cumprod_prev": SCHEDULE.before,
        "posterior_variance": SCHEDULE.posterior_variance,
        "sqrt_one_minus_alphas_cumprod": (1 - SCHEDULE.alphas_cumprod).sqrt(),
        "sqrt_recipm1_alphas_cumprod": SCHEDULE.sigmas,
    }
    for name, values in ours.items():
        torch.testing.assert_close(values[at], torch.tensor(table["values"][name]).double(), rtol=1e-5, atol=1e-7)


def test_timesteps(case):
    for steps, published in case[0]["ddim_timesteps"]["values"].items():
        ours = timesteps(1000, int(steps), spacing="strided", offset=1)
        assert ours[::-1] == [step for step in published if step < 1000]


def test_noising_and_loss(case):
    about, held = case
    close(SCHEDULE.add_noise(held["q_x0"], held["q_noise"], held["q_t"]), held["q_out"])
    loss = Diffusion(schedule=SCHEDULE).losses(denoiser, held["q_x0"], held["loss_c"], held["q_t"], held["q_noise"])
    assert loss.mean().item() == pytest.approx(about["training_loss"]["loss"], rel=1e-4)


def test_ddim(case):
    about, held = case
    for name, settings in about["ddim"]["cases"].items():
        steps = []
        made = Diffusion(schedule=SCHEDULE).sample(
            denoiser,
            tuple(held[f"{name}_x_T"].shape),
            held[f"{name}_c"],
            steps=settings["S"],
            guidance=settings["guidance"],
            unconditional=held[f"{name}_u"],
            eta=settings["eta"],
            spacing="strided",
            offset=1,
            end_at_first=True,
            start=held[f"{name}_x_T"],
            noise=list(held[f"{name}_noise"]),
            watch=steps.append,
        )
        for step, published in zip(steps[1:], held[f"{name}_steps"], strict=False):
            close(step.x, published)
        close(made, held[f"{name}_steps"][-1])


def test_masked_ddim(case):
    held = case[1]
    noise = [one for pair in zip(held["masked_known_noise"], held["masked_step_noise"], strict=True) for one in pair]
    made = Diffusion(schedule=SCHEDULE).sample(
        denoiser,
        tuple(held["masked_x_T"].shape),
        held["masked_c"],
        steps=5,
        guidance=2.0,
        unconditional=held["masked_u"],
        eta=1.0,
        spacing="strided",
        offset=1,
        end_at_first=True,
        start=held["masked_x_T"],
        noise=noise,
        known=held["masked_x0"],
        mask=held["masked_mask"],
        paste=False,
    )
    close(made, held["masked_steps"][-1])


def test_masks(case):
    for name, preset in case[0]["mask_presets"]["presets"].items():
        latent = torch.randn(2, 3, 16, 8)
        masked = mask_for(name.replace("audio_", ""), latent)
        assert list(masked.mask.shape) == preset["mask_shape"]
        assert list(masked.known.shape) == preset["known_latent_shape"]
        published = torch.ones(preset["mask_shape"])
        rows, columns = preset["free_time_rows"], preset["free_frequency_columns"]
        published[:, :, slice(*rows) if rows else slice(None), slice(*columns) if columns else slice(None)] = 0
        assert torch.equal(masked.mask, published), name
        assert torch.equal(masked.known[:, :, :16], latent)
        if preset.get("known_latent_second_half_is_zero"):
            assert not masked.known[:, :, 16:].any()


def test_masks_of_lengths_that_are_no_multiples_of_four():
    latent = torch.zeros(1, 1, 10, 6)
    assert mask_for("inpainting", latent).mask[0, 0, :, 0].tolist() == [1, 1, 0, 0, 0, 0, 1, 1, 1, 1]
    assert mask_for("super_resolution", latent).mask[0, 0, 0].tolist() == [1, 1, 1, 0, 0, 0]


def test_long_form(case):
    about, held = case
    masked = next_window(held["long_latent"])
    assert torch.equal(masked.known, held["long_known_latent"])
    assert torch.equal(masked.mask, held["long_mask"])
    first, second = held["long_wave_1"].numpy(), held["long_wave_2"].numpy()
    offset = best_offset(first, second, shortest=2)
    assert offset == about["long_generation"]["offset"]
    joined = join_overlapping(first, second, offset, quirks="official")
    np.testing.assert_array_equal(joined, held["long_joined"].numpy())


def test_ema(case):
    held = case[1]
    weight = torch.nn.Parameter(held["ema_weights"][0].clone())
    average = Average({"weight": weight}, decay=0.9999)
    for after, shadow in zip(held["ema_weights"][1:], held["ema_shadow"], strict=True):
        weight.data = after.clone()
        average.update()
        close(average.values["weight"], shadow, 1e-6)


def told(text, name, otherwise):
    """The number after a name in a sentence, if there is one."""
    found = re.search(rf"{name} (\d+(?:\.\d+)?)", text)
    return float(found[1]) if found else otherwise


def test_latent_mixup(case):
    about, held = case
    what = about["latent_mixup"]["what"]
    scale, chosen = told(what, "scale_factor", 1.7), held["blm_u"] < told(what, "latent_mixup", 0.5)
    z = held["blm_z"] * scale
    mixed = beat_mixup.mix_latents(held["blm_z_1"][chosen] * scale, held["blm_z_2"][chosen] * scale, held["blm_p"])
    z[chosen] = mixed
    close(z, held["blm_z_out"], 1e-5)
    wave = held["blm_wave"].clone()
    wave[chosen] = beat_mixup.heard_mix(held["blm_vocoded"], wave.shape[1], quirks="official")
    assert torch.equal(wave, held["blm_wave_out"])
    whole = beat_mixup.heard_mix(held["blm_vocoded"], wave.shape[1])
    assert torch.equal(whole, held["blm_vocoded"][:, : wave.shape[1]])


def discriminator(about):
    """The discriminator of the loss, filled by key names as the networks are."""
    module, fill = PatchDiscriminator(in_channels=1), reference.fill().fill
    state = {}
    for key, shape in about["discriminator_keys"].items():
        if key not in about["kept"]:
            name = key.replace("discriminator.main.", "layers.")
            state[name] = torch.from_numpy(fill(key, tuple(shape), about["salt"])) * (
                about["gain"] if len(shape) > 1 else 1
            )
    missing, unexpected = module.load_state_dict(state, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing)
    return module.eval()


@pytest.mark.parametrize("number", range(2))
def test_vae_loss(case, number):
    about, held = case
    step = [*about["vae_loss"]["values"]][number]
    what = about["vae_loss"]["what"]
    log_scale, weights = told(what, "logvar", 0.1), {"kl_weight": told(what, "kl_weight", 1.0)}
    wanted, judge = about["vae_loss"]["values"][step], discriminator(about["vae_loss"])
    last = held["vae_loss_last_layer"].clone().requires_grad_()
    made = torch.nn.functional.conv2d(held["vae_loss_features"], last)
    mean, log_variance = held["vae_loss_moments"].chunk(2, 1)
    posterior = Posterior(mean, log_variance.clamp(-30, 20))
    scores = judge(made)
    target = held["vae_loss_target"]
    weights["adversarial_weight"] = told(what, "disc_weight", 0.5)
    loss = vae_loss(target, made, posterior, log_scale=log_scale, scores=scores, last_layer=last, **weights)
    generator = wanted["generator"]
    assert loss.likelihood.item() == pytest.approx(generator["nll_loss"], rel=1e-4)
    assert loss.reconstruction.item() == pytest.approx(generator["rec_loss"], rel=1e-4)
    assert loss.kl.item() == pytest.approx(generator["kl_loss"], rel=1e-4)
    assert loss.adversarial.item() == pytest.approx(generator["g_loss"], rel=1e-4)
    assert loss.adversarial_weight.item() == pytest.approx(generator["d_weight"], rel=1e-4)
    if not generator["disc_factor"]:
        loss = vae_loss(target, made, posterior, log_scale=log_scale, **weights)
    assert loss.total.item() == pytest.approx(generator["total_loss"], rel=1e-4)
    real, fake = judge(target), judge(made.detach())
    assert real.mean().item() == pytest.approx(wanted["discriminator"]["logits_real"], rel=1e-3)
    value = 0.5 * hinge_discriminator(real, fake).item() * generator["disc_factor"]
    assert value == pytest.approx(wanted["discriminator"]["disc_loss"], rel=1e-4)


@pytest.mark.parametrize("folder", MIXUPS, ids=lambda folder: folder.name)
def test_beat_mixup(folder):
    about, held = reference.functions(folder)
    front, bam, blm = audioldm_mel(), about["bam"], about["blm_loader"]
    samples, frames = bam["segment_samples"], bam["target_length"]
    downs = bam["downbeats_a"], bam["downbeats_b"]

    def same_mel(wave, published):
        mel = front(wave).mT[:frames]
        loud = published > -9
        torch.testing.assert_close(mel[loud], published[loud], rtol=1e-4, atol=1e-3)
        torch.testing.assert_close(mel[~loud], published[~loud], rtol=0, atol=5e-3)

    a, b = held["wave_a"], held["wave_b"]
    drawn = bam["draws"]
    draw = beat_mixup.MixDraw(drawn["downbeat_index_a"], drawn["downbeat_index_b"], drawn["p"])
    aligned = beat_mixup.align(a, b, *downs, draw, rate=16000)
    mixed = beat_mixup.segment(beat_mixup.mix_audio(a, aligned, draw.share), drawn["segment_start"], samples)
    close(mixed, held["bam_wave"], 1e-5)
    same_mel(mixed, held["bam_mel"])

    drawn = blm["draws"]
    draw = beat_mixup.MixDraw(drawn["downbeat_index_a"], drawn["downbeat_index_b"], 0.5)
    aligned = beat_mixup.align(a, b, *downs, draw, rate=16000)
    for name, wave in (("blm_mel_1", aligned.first), ("blm_mel_2", aligned.second)):
        same_mel(beat_mixup.segment(audioldm_waveform(wave), 0, samples), held[name])
    close(beat_mixup.segment(audioldm_waveform(a), drawn["segment_start"], samples), held["blm_wave"], 1e-5)

    alone = beat_mixup.segment(beat_mixup.mix_audio(a, None, 0.5), about["no_partner"]["segment_start"], samples)
    close(alone, held["nomix_wave"], 1e-5)
    same_mel(alone, held["nomix_mel"])

    what = about["short_overlap"]["what"]
    listed = re.search(r"\[[^]]*\]", what)
    times = json.loads(listed[0]) if listed else [0.01, 0.396250, 9.0]
    draw = beat_mixup.MixDraw(int(told(what, "index", 1)), 0, 0.5)
    late = beat_mixup.align(a, b, times, downs[1], draw, rate=16000)
    few = beat_mixup.align(a, b, [0.01], downs[1], beat_mixup.MixDraw(0, 0, 0.5), rate=16000)
    assert late is None and few is None
    close(
        beat_mixup.segment(beat_mixup.mix_audio(a, late, 0.5), int(told(what, "start", 5)), samples),
        held["short_wave"],
        1e-5,
    )


def test_there_are_cases():
    assert FUNCTIONS and MIXUPS
