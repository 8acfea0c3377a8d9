"""MusicLDM's own behaviour: conditions that have effects and lose them, masks, seeds, lengths, training, bad input."""

import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.analysis.bar_tracking import BeatPath
from orchestrion.data.piece import Piece
from orchestrion.errors import InputError, OptionError, PromptError
from orchestrion.media.audio import Audio
from orchestrion.media.loudness import true_peaks
from orchestrion.representations.latent_masks import free_bands, free_time
from orchestrion.systems import musicldm_training
from orchestrion.systems.musicldm import MusicLDM
from orchestrion.systems.musicldm_filling import Hole, windows_over
from orchestrion.systems.musicldm_training import ConditionedLatents, TrainingSound
from orchestrion.training.stage import Share

TINY = {
    "frames": 64,
    "vae_width": 8,
    "vae_channels": (8, 8, 16),
    "unet_width": 8,
    "unet_channels": (8, 16, 16),
    "unet_groups": 4,
    "vae_groups": 4,
    "head_width": 8,
    "condition_width": 16,
    "words": ("slow", "fast", "flute", "piano", "tune", "a"),
    "sampling_steps": 3,
    "candidates": 2,
    "clips": 6,
    "clip_seconds": 4.0,
    "precision": "float32",
}


def build(**changes):
    torch.manual_seed(0)
    model = MusicLDM(**{**MusicLDM.presets["mini"], **TINY, **changes})
    with torch.no_grad():  # nothing begins at zero, so that every condition can have an effect
        for parameter in model.unet.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
    model.codec.vocoder.iterations = model.codec.vocoder.spreads = 4  # what is tested here needs no good sound
    return model.eval()


@pytest.fixture(scope="module")
def model():
    return build()


def noise(seconds, rate=16000, channels=1, seed=0):
    samples = np.random.default_rng(seed).normal(0, 0.1, (channels, round(seconds * rate)))
    return Audio(samples.astype(np.float32), rate)


def recordings():
    """Pieces of one tempo with clicks on their beats."""
    pieces = []
    for number in range(3):
        audio = noise(4.0, seed=number)
        beats = [0.1 * number + 0.5 * beat for beat in range(7)]
        pieces.append(
            Piece(f"p{number}", audio=audio, beats=beats, metre=(2, 4), tempo=120.0, caption="a slow tune for flute")
        )
    return pieces


def sampled(model, vector, **settings):
    return model.sample(vector, generator=torch.Generator().manual_seed(1), **settings)


def test_text_changes_the_result_and_without_guidance_of_it_nothing_does(model):
    vectors = model.vectors_of_text(["slow flute", "fast piano"])
    first, second = sampled(model, vectors[:1]), sampled(model, vectors[1:])
    assert (first - second).abs().max() > 1e-3
    # At guidance 0 only the unconditional branch speaks.
    first, second = sampled(model, vectors[:1], guidance=0.0), sampled(model, vectors[1:], guidance=0.0)
    torch.testing.assert_close(first, second)
    away = model.vectors_of_text(["piano"])
    assert (sampled(model, vectors[:1], unconditional=away) - sampled(model, vectors[:1])).abs().max() > 1e-4
    # At guidance 1 what is led away from is not even asked.
    once = sampled(model, vectors[:1], guidance=1.0, unconditional=away)
    torch.testing.assert_close(once, sampled(model, vectors[:1], guidance=1.0))


def test_eta_and_steps_have_effects(model):
    vector = model.vectors_of_text(["slow flute"])
    plain = sampled(model, vector, eta=0.0)
    assert (sampled(model, vector, eta=1.0) - plain).abs().max() > 1e-3
    assert (sampled(model, vector, eta=0.0, steps=5) - plain).abs().max() > 1e-4


@pytest.mark.parametrize("quirks", ["none", "official"])
def test_known_parts_are_kept(quirks):
    model = build(quirks=quirks)
    vector, known = model.vectors_of_text(["slow flute"]), torch.randn(1, 4, 16, 16)
    for masked in (free_time(known, 4, 12), free_bands(known, 12, 16)):
        made = sampled(model, vector, masked=masked)
        kept = masked.mask.expand_as(known) == 1
        if quirks == "none":
            torch.testing.assert_close(made[kept], known[kept])
        else:  # the last step is not followed by pasting
            assert (made[kept] - known[kept]).abs().max() > 1e-4
        other = sampled(model, vector, masked=type(masked)(known + 1, masked.mask))
        assert (made - other)[~kept].abs().max() > 1e-4  # what is known changes what is made


def test_dropout_puts_the_empty_text_in_the_place_of_the_vector(model):
    latents, vectors = torch.randn(4, 4, 16, 16), model.vectors_of_text(["slow", "fast", "flute", "piano"]).detach()
    empty = model.vectors_of_text([""]).detach()
    always, never = build(dropout=1.0), build(dropout=0.0)
    losses = {}
    for name, system in (("always", always), ("never", never)):
        for told, vector in (("own", vectors), ("empty", empty.expand(4, -1))):
            torch.manual_seed(3)
            with torch.no_grad():
                losses[name, told] = float(system.loss(latents, vector, empty).value)
    assert losses["always", "own"] == losses["always", "empty"] == losses["never", "empty"] != losses["never", "own"]


def test_generate_has_the_length_asked_for_and_is_the_same_for_a_seed(model):
    first = model.generate("a slow tune", seconds=0.5, seed=4, n=2)
    assert [sound.audio.samples.shape for sound in first] == [(1, 8000)] * 2
    for _ in range(8):
        model.generate("fast piano", seconds=0.2, seed=1)
    again = model.generate("a slow tune", seconds=0.5, seed=4)
    np.testing.assert_array_equal(again[0].audio.samples, first[0].audio.samples)
    assert np.abs(first[0].audio.samples - first[1].audio.samples).max() > 1e-4
    assert any("miniature" in sentence for sentence in first[0].report["unserved"])
    longer = model.generate("a slow tune", seconds=1.7, seed=4)[0]
    assert longer.audio.samples.shape == (1, round(1.7 * 16000)) and np.isfinite(longer.audio.samples).all()


def test_the_best_candidate_is_kept(model):
    vector = model.vectors_of_text(["slow flute"])
    latents = sampled(model, vector.expand(4, -1))
    best, scores = model.choose(latents, vector)
    assert scores[best] == max(scores) and len(set(scores)) == 4
    report = model.generate("slow flute", candidates=3)[0].report
    assert report["candidates"][report["chosen"]] == max(report["candidates"]) and len(report["candidates"]) == 3


def test_progress_reaches_its_end(model):
    seen = []
    model.generate("slow", seconds=1.5, n=2, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] and [one for one, _ in seen] == sorted(one for one, _ in seen)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prompt": " "}, "text is empty"),
        ({"prompt": "x" * 5000}, "more than 4000"),
        ({"seconds": math.nan}, "seconds is nan"),
        ({"seconds": 1e6}, "seconds is 1e"),
        ({"steps": 0}, "steps is 0"),
        ({"guidance": -1.0}, "guidance is -1"),
        ({"candidates": 0}, "candidates is 0"),
        ({"eta": 2.0}, "eta is 2"),
    ],
)
def test_bad_requests_get_one_sentence(model, changes, said):
    with pytest.raises((PromptError, OptionError), match=said) as raised:
        model.generate(**{"prompt": "slow", **changes})
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["quirks", "clap", "vocoder", "mixup"])
def test_unknown_names_are_refused(name):
    with pytest.raises(OptionError, match=f"{name} is 'x'"):
        build(**{name: "x"})


def made_part(sound, start, end):
    return sound.audio.samples[:, round(start * sound.audio.rate) : round(end * sound.audio.rate)]


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (44100, 2), (8000, 3)])
def test_a_span_is_made_anew_and_all_other_samples_stay(model, rate, channels):
    audio = noise(2.0, rate, channels)
    sound = model.infill_sound(audio, "slow flute", start=0.7, end=1.6, seed=1)
    first, last = round(0.7 * rate), round(1.6 * rate)
    assert sound.audio.rate == rate and sound.audio.samples.shape == audio.samples.shape
    np.testing.assert_array_equal(sound.audio.samples[:, :first], audio.samples[:, :first])
    np.testing.assert_array_equal(sound.audio.samples[:, last:], audio.samples[:, last:])
    assert np.abs(sound.audio.samples - audio.samples)[:, first:last].mean() > 1e-3
    assert sound.report["made"] == [0.7, 1.6] and "miniature" in sound.report["unserved"][0]
    # No click: neither edge is a larger step than there are elsewhere.
    steps = np.abs(np.diff(sound.audio.samples))
    assert steps[:, [first - 1, last - 1]].max() <= steps.max(axis=1).min() * 1.01


def test_what_is_told_and_what_lies_around_change_what_is_made(model):
    audio, span = noise(1.5), {"start": 0.5, "end": 0.9, "seed": 1}
    made = {
        name: made_part(model.infill_sound(audio, prompt, **span, **more), 0.5, 0.9)
        for name, prompt, more in (
            ("flute", "slow flute", {}), ("piano", "fast piano", {}), ("untold", "", {}),
            ("not piano", "slow flute", {"negative": "piano"}), ("unguided", "slow flute", {"guidance": 0.0}),
            ("unguided piano", "fast piano", {"guidance": 0.0}),
        )
    }  # fmt: skip
    for one, other in (("flute", "piano"), ("flute", "untold"), ("flute", "not piano"), ("flute", "unguided")):
        assert np.abs(made[one] - made[other]).max() > 1e-6, (one, other)
    np.testing.assert_array_equal(made["unguided"], made["unguided piano"])
    for side, part in (("before", slice(0, 8000)), ("behind", slice(14400, None))):
        samples = audio.samples.copy()
        samples[:, part] = noise(1.5, seed=9).samples[:, part]
        changed = made_part(model.infill_sound(Audio(samples, 16000), "slow flute", **span), 0.5, 0.9)
        assert np.abs(changed - made["flute"]).max() > 1e-6, side
    damaged = audio.samples.copy()
    damaged[:, 8000:14400] = 1.0  # what was in the hole has no influence
    np.testing.assert_array_equal(
        made_part(model.infill_sound(Audio(damaged, 16000), "slow flute", **span), 0.5, 0.9), made["flute"]
    )
    np.testing.assert_array_equal(
        made_part(model.infill_sound(audio, "slow flute", **span), 0.5, 0.9), made["flute"]
    )  # nothing is left over from the calls before


def test_what_is_made_has_the_level_of_what_lies_around(model):
    audio = Audio(np.concatenate([noise(1.5).samples / 4, np.zeros((1, 24000), np.float32)]), 16000)
    span = {"start": 0.5, "end": 0.9, "seed": 1}
    soft = made_part(model.infill_sound(audio, "slow flute", **span), 0.5, 0.9)
    loud = made_part(model.infill_sound(Audio(2 * audio.samples, 16000), "slow flute", **span), 0.5, 0.9)
    np.testing.assert_allclose(loud, 2 * soft, atol=1e-4)
    assert not soft[1].any()  # a silent channel stays silent
    assert np.abs(soft).max() <= 10 ** (-1 / 20)


@pytest.mark.parametrize("rate", [16000, 44100])
def test_the_spectrum_above_a_frequency_is_made_anew(model, rate):
    audio = noise(1.5, rate)
    sound = model.infill_sound(audio, "slow flute", start=0.5, end=1.2, above=4000.0, seed=1)
    first, last = round(0.5 * rate), round(1.2 * rate)
    np.testing.assert_array_equal(sound.audio.samples[:, :first], audio.samples[:, :first])
    np.testing.assert_array_equal(sound.audio.samples[:, last:], audio.samples[:, last:])
    change = np.fft.rfft((sound.audio.samples - audio.samples)[0, first:last])
    hertz = np.fft.rfftfreq(last - first, 1 / rate)
    power = [
        float(np.square(np.abs(change[(hertz > low) & (hertz < high)])).sum())
        for low, high in ((0, 3000), (4500, 8000))
    ]
    assert power[0] < 1e-3 * power[1]


def test_sound_goes_on(model):
    audio = noise(1.0, 22050, 2)
    sound = model.continue_sound(audio, "slow flute", seconds=1.5, seed=2)
    assert sound.audio.samples.shape == (2, 22050 + 33075)
    np.testing.assert_array_equal(sound.audio.samples[:, :22050], audio.samples)
    assert np.square(sound.audio.samples[:, 22050:]).mean() > 1e-6
    other = model.continue_sound(noise(1.0, 22050, 2, seed=4), "slow flute", seconds=1.5, seed=2)
    assert np.abs(other.audio.samples - sound.audio.samples)[:, 22050:].max() > 1e-6  # what is known has an effect


@pytest.mark.parametrize("known", ["silence", "constant", "a sample"])
def test_sound_that_says_nothing_is_gone_on_with(model, known):
    samples = {"silence": np.zeros((1, 8000)), "constant": np.full((1, 8000), 0.3), "a sample": np.full((1, 1), 0.5)}
    sound = model.continue_sound(Audio(samples[known].astype(np.float32), 16000), seconds=0.5)
    assert np.isfinite(sound.audio.samples).all() and np.abs(sound.audio.samples).max() <= 1


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"start": 0.5, "end": 0.2}, "empty or lies outside"),
        ({"start": 0.5, "end": 3.0}, "empty or lies outside"),
        ({"start": math.nan, "end": 0.5}, "empty or lies outside"),
        ({"start": 0.0, "end": 1.0}, "all of the sound"),
        ({"start": 0.1, "end": 0.10001}, "shorter than a sample"),
        ({"start": 0.1, "end": 0.5, "above": 9000.0}, "above is 9000"),
        ({"start": 0.1, "end": 0.5, "above": math.nan}, "above is nan"),
        ({"start": 0.1, "end": 0.5, "steps": 0}, "steps is 0"),
    ],
)
def test_spans_that_cannot_be_made(model, asked, said):
    with pytest.raises(OptionError, match=said):
        model.infill_sound(noise(1.0), **asked)
    with pytest.raises(PromptError, match="more than 4000"):
        model.infill_sound(noise(1.0), "x" * 5000, start=0.1, end=0.5)
    with pytest.raises(OptionError, match="seconds is nan"):
        model.continue_sound(noise(1.0), seconds=math.nan)


@given(st.integers(0, 90), st.integers(1, 90), st.integers(0, 60))
@settings(max_examples=40, deadline=None)
def test_windows_cover_a_hole_once_and_know_what_lies_around(start, length, behind):
    total = max(start + length + behind, 16)
    places = windows_over(Hole(start, start + length), total=total, window=16)
    assert [time for _, first, last in places for time in range(first, last)] == list(range(start, start + length))
    assert all(0 <= at <= first < last <= at + 16 <= total for at, first, last in places)
    assert all(first - at >= min(8, first) for at, first, _ in places[:-1])  # half a window before, where there is one
    at, first, last = places[-1]
    if last - first <= 8 and min(first, total - last) >= 8:
        assert abs((first - at) - (at + 16 - last)) <= 1  # as much before as behind


def test_sound_is_given_out_at_a_safe_peak(model, monkeypatch):
    loud = torch.sin(torch.arange(8000) / 3)[None] * 1.7
    monkeypatch.setattr(model.codec, "decode_latents", lambda latents, **_: loud)
    made = model.generate("slow flute", seconds=0.5, candidates=1)[0].audio.samples
    np.testing.assert_allclose(made, loud.numpy() * made.max() / float(loud.max()), atol=1e-6)  # not bent
    assert true_peaks(made).max() <= 10 ** (-1 / 20) * 1.001
    quiet = loud / 4
    monkeypatch.setattr(model.codec, "decode_latents", lambda latents, **_: quiet)
    np.testing.assert_array_equal(model.generate("slow flute", seconds=0.5, candidates=1)[0].audio.samples, quiet)
    official = build(quirks="official")
    monkeypatch.setattr(official.codec, "decode_latents", lambda latents, **_: loud)
    made = official.generate("slow flute", seconds=0.5, candidates=1)[0].audio.samples
    np.testing.assert_array_equal(made, loud.clamp(-1, 1).numpy())


@pytest.mark.parametrize(("rate", "channels", "seconds"), [(8000, 1, 0.3), (44100, 2, 1.9), (16000, 8, 0.0001)])
def test_sound_of_any_kind_is_encoded_and_comes_back_at_its_length(model, rate, channels, seconds):
    audio = noise(seconds, rate, channels)
    latents = model.encode(audio)
    assert latents.values.shape[:2] == (channels, 4 * 16) and latents.rate == 25.0
    back = model.decode(latents)
    assert back.samples.shape == audio.samples.shape and back.rate == rate
    assert np.isfinite(back.samples).all()


def test_silence_and_nothing(model):
    quiet = model.decode(model.encode(Audio(np.zeros((1, 1600), np.float32), 16000)))
    assert np.isfinite(quiet.samples).all()
    with pytest.raises(InputError, match="no samples"):
        model.encode(Audio(np.zeros((1, 0), np.float32), 16000))
    with pytest.raises(OptionError, match="block by block"):
        model.codec.stream()


def test_embeddings(model):
    audio = noise(2.0)
    whole, parts = model.embed(audio), model.embed(audio, pooling="none", hop=0.32)
    assert whole.vectors.shape == (1, 16) and len(parts.vectors) == len(parts.starts) > 3
    np.testing.assert_allclose(np.linalg.norm(parts.vectors, axis=1), 1, atol=1e-5)
    assert model.embed_text("slow").space == whole.space
    assert np.abs(whole.vectors - model.embed(noise(2.0, seed=5)).vectors).max() > 1e-4
    with pytest.raises(OptionError, match="pooling is 'max'"):
        model.embed(audio, pooling="max")


@pytest.mark.parametrize("mixup", ["none", "plain", "bam", "blm"])
def test_batches_depend_on_their_seed_alone_and_mixup_changes_them(model, mixup):
    system = build(mixup=mixup)
    sound = TrainingSound(system, recordings(), count=6, seed=0)
    latents = ConditionedLatents(sound, mixup=mixup, share=1.0, text_share=0.0)
    first, vectors, empty = latents.batch([0, 1, 2], seed="a")
    assert first.shape == (3, 4, 16, 16) and vectors.shape == (3, 16) and empty.shape == (1, 16)
    again = ConditionedLatents(sound, mixup=mixup, share=1.0, text_share=0.0).batch([0, 1, 2], seed="a")
    torch.testing.assert_close(first, again[0])
    other = latents.batch([0, 1, 2], seed="b")[0]
    assert (first - other).abs().max() > 1e-3
    unmixed = ConditionedLatents(sound, mixup=mixup, share=0.0, text_share=0.0).batch([0, 1, 2], seed="a")[0]
    assert (mixup == "none") == torch.allclose(first, unmixed)


def test_the_condition_of_a_mix_is_that_of_the_mix(model):
    sound = TrainingSound(model, recordings(), count=6, seed=0)
    mixed, vectors, _ = ConditionedLatents(sound, mixup="blm", share=1.0, text_share=1.0).batch([0], seed="a")
    with torch.no_grad():
        heard = model.vectors_of_pictures(model.vae.decode(mixed))
    torch.testing.assert_close(vectors, heard, atol=1e-4, rtol=1e-4)
    _, told, _ = ConditionedLatents(sound, mixup="blm", share=0.0, text_share=1.0).batch([0], seed="a")
    torch.testing.assert_close(told, model.vectors_of_text(["a slow tune for flute"]).detach())


def test_the_scale_brings_latents_to_unit_deviation():
    system = build(mixup="none")
    stage = next(one for one in system.stages(recordings(), recordings()[:1]) if one.name == "diffusion")
    batches = [stage.data(step, Share())[0] for step in range(3)]
    scale = float(system.scale_factor)
    assert scale != 1.0
    deviation = float((torch.cat(batches) * scale).std())
    assert abs(deviation - 1) < 0.05
    stage.data(7, Share())
    assert float(system.scale_factor) == scale  # measured once


def test_recordings_without_beats_are_tracked(model, monkeypatch):
    path = BeatPath(np.arange(8) / 2, np.arange(8) % 4, 4, 0.0)
    monkeypatch.setattr(musicldm_training, "track_beats", lambda audio: path)
    pieces = [Piece("x", audio=noise(8.0), caption="noise")]
    first, second = TrainingSound(model, pieces, count=1, seed=0).clips.clips  # cut into stretches of four seconds
    assert (first.caption, first.tempo, first.downbeats) == ("noise", 120.0, (0.0, 2.0))
    assert second.downbeats == ()
    with pytest.raises(InputError, match="no sound to learn from"):
        TrainingSound(model, [Piece("y")], count=1, seed=0).clips.draw(0, 1)


def test_every_clip_comes_once_a_round(model):
    clips = TrainingSound(model, recordings(), count=6, seed=0).clips
    drawn = [item for step in range(3) for item in clips.draw(step, len(clips))]
    for number in range(3):
        assert sorted(drawn[number * len(clips) : (number + 1) * len(clips)]) == list(range(len(clips)))
    assert clips.draw(1, 2) == clips.draw(1, 2)
    crop = clips.crop(0, 10 * 16000, random.Random(0))
    assert len(crop) == 160000 and not crop[-16000:].any()
