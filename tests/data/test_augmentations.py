"""Augmentations: values against naive versions, probabilities, independence of items, and what must stay as it is."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from orchestrion.data import augment
from orchestrion.data.augment import (
    AllPass,
    ApolloDamage,
    BandFilter,
    Chain,
    CodecRoundTrip,
    Compand,
    Crop,
    Delay,
    Dequantise,
    Freeverb,
    Gain,
    HighPass,
    LowPass,
    MixItems,
    Mute,
    Noise,
    NoiseReverb,
    PitchShift,
    Polarity,
    RandomChannel,
    Resample,
    TimeStretch,
    clmr_chain,
    mix_stems,
    rave_chain,
)
from orchestrion.data.augment.codecs import delay_between, mp3_level, through_codec
from orchestrion.data.augment.reverb import COMBS, feedback, tank_lengths
from orchestrion.data.augment.stretch import stretch
from orchestrion.errors import InputError, OptionError

RATE = 16000


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(batch=3, channels=1, samples=8000, seed=1, level=0.1):
    return torch.randn(batch, channels, samples, generator=seeded(seed)) * level


def tone(frequency, samples=16000, rate=RATE):
    return (0.5 * torch.sin(2 * torch.pi * frequency * torch.arange(samples) / rate))[None, None]


def loudest_frequency(sound, rate=RATE):
    middle = sound[len(sound) // 4 : -len(sound) // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 8 * len(middle)))
    return spectrum.argmax() * rate / (8 * len(middle))


KEEPING_LENGTH = {
    "polarity": Polarity(), "gain": Gain(), "noise": Noise(), "v1 noise": Noise((0.01, 0.01), reference="rms"),
    "dequantise": Dequantise(8), "mute": Mute(), "low-pass": LowPass(RATE), "high-pass": HighPass(RATE),
    "first order": LowPass(RATE, order="first"), "coin": BandFilter(HighPass(RATE), LowPass(RATE)),
    "all-pass": AllPass(RATE), "delay": Delay(RATE), "pitch": PitchShift(RATE), "stretch": TimeStretch(RATE),
    "resample": Resample(), "freeverb": Freeverb(RATE), "noise reverb": NoiseReverb(RATE), "compand": Compand(RATE),
    "ogg": CodecRoundTrip(RATE, format="ogg"), "mix": MixItems(),
}  # fmt: skip


@pytest.mark.parametrize("name", KEEPING_LENGTH)
def test_what_every_transform_owes(name):
    transform = KEEPING_LENGTH[name]
    for channels in (1, 2):
        audio = noise(channels=channels)
        before = audio.clone()
        out = transform(audio, seeded(4))
        assert out.shape == audio.shape and out.dtype == torch.float32 and torch.isfinite(out).all()
        assert torch.equal(audio, before), "the input must stay"
        assert not torch.allclose(out, audio, atol=1e-5), "the sound must change"
        for _ in range(2):
            again = transform(audio, seeded(4))
        assert torch.equal(out, again), "the same seed must give the same"
    silent = transform(torch.zeros(2, 1, 8000), seeded())
    assert torch.isfinite(silent).all() and silent.abs().max() < 0.01


@pytest.mark.parametrize("name", ["gain", "low-pass", "first order", "all-pass", "delay", "pitch", "freeverb", "noise"])
def test_items_are_decided_on_their_own(name):
    audio = noise(1).repeat(6, 1, 1)
    out = KEEPING_LENGTH[name](audio, seeded(2))
    assert len({tuple(np.round(item[0, ::7].tolist(), 5)) for item in out}) >= 4


@pytest.mark.parametrize("name", ["low-pass", "freeverb", "pitch", "all-pass"])
def test_an_item_does_not_depend_on_its_neighbours(name):
    transform = KEEPING_LENGTH[name]
    audio = noise(3)
    settings_of = {
        "low-pass": torch.tensor([2500.0, 3000.0, 3500.0]),
        "freeverb": torch.tensor([[50, 50, 90], [10, 0, 0], [99, 99, 99]]),
        "pitch": torch.tensor([-300, 0, 650]),
    }
    if name == "all-pass":
        assert torch.equal(transform(audio, seeded())[:1], transform(audio[:1], seeded()))
        return
    together = transform.apply(audio, settings_of[name])
    alone = torch.cat([transform.apply(audio[i : i + 1], settings_of[name][i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)


def test_chain_applies_each_step_as_often_as_it_should():
    audio = torch.ones(4000, 1, 1)
    out = Chain([(0.3, Gain(-20, -20)), (0.0, Mute()), (0.8, Polarity())])(audio, seeded())[:, 0, 0]
    assert out.lt(0).float().mean() == pytest.approx(0.8, abs=0.03)
    assert out.abs().lt(0.5).float().mean() == pytest.approx(0.3, abs=0.03)
    both = (out.lt(0) & out.abs().lt(0.5)).float().mean()
    assert both == pytest.approx(0.24, abs=0.03)  # decided apart
    assert (audio == 1).all()


def test_official_chains_apply_a_step_of_probability_zero_where_the_draw_is_zero(monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda *size, generator=None: torch.zeros(*size))
    audio = torch.ones(2, 1, 4)
    assert (Chain([(0.0, Polarity())])(audio, seeded()) == 1).all()
    assert (Chain([(0.0, Polarity())], quirks="official")(audio, seeded()) == -1).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300))
def test_crops_are_spans(length, samples):
    audio = torch.arange(float(length)).repeat(2, 1)[:, None]
    out = Crop(samples)(audio, seeded(length))
    assert out.shape == (2, 1, samples)
    for item in out[:, 0].numpy():
        inside = item[: min(length, samples)]
        assert np.array_equal(np.diff(inside), np.ones(len(inside) - 1)) and not item[length:].any()


def test_crops_begin_everywhere():
    starts = Crop(8)(torch.arange(11.0).repeat(400, 1)[:, None], seeded())[:, 0, 0]
    assert set(starts.tolist()) == {0.0, 1.0, 2.0, 3.0}


def test_levels():
    audio = noise(500, samples=200)
    ratio = (Gain(-20, -1, clamp=False)(audio, seeded())[:, 0, 0] / audio[:, 0, 0]).log10() * 20
    assert ratio.min() >= -20.001 and ratio.max() <= -0.999 and ratio.std() > 4
    whole = (Gain(-20, -1, integer=True, clamp=False)(audio, seeded())[:, 0, 0] / audio[:, 0, 0]).log10() * 20
    assert (whole - whole.round()).abs().max() < 1e-3 and len(whole.round().unique()) == 20
    assert Gain(20, 20)(audio, seeded()).abs().max() == 1
    added = Noise((0.01, 0.01), reference="rms")(audio, seeded()) - audio
    assert 20 * np.log10((added.std() / audio.square().mean().sqrt()).item()) == pytest.approx(-40, abs=0.2)
    steps = Dequantise(16)(audio, seeded()) - audio
    assert steps.min() >= -1e-7 and steps.max() <= 2**-16 + 1e-7 and steps.mean() == pytest.approx(2**-17, rel=0.05)


def test_windowed_sinc_is_the_convolution_with_its_kernel():
    audio, cutoff = noise(1, samples=3000), 2600.0
    half = int(8 / (cutoff / RATE) / 2)
    time = np.arange(-half, half + 1)
    kernel = np.sinc(2 * cutoff / RATE * time) * signal.windows.hann(2 * half + 1)
    padded = np.pad(audio[0, 0].numpy().astype(np.float64), half, mode="edge")
    naive = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    low = LowPass(RATE).apply(audio, torch.tensor([cutoff]))
    np.testing.assert_allclose(low[0, 0], naive, atol=1e-6)
    high = HighPass(RATE).apply(audio, torch.tensor([cutoff]))
    torch.testing.assert_close(low + high, audio, atol=1e-6, rtol=0)


def test_first_order_filters_are_half_the_power_at_their_cutoff():
    impulse = torch.zeros(1, 1, 16000)
    impulse[..., 0] = 1
    for cutoff in (300.0, 3000.0):
        answers = [
            np.abs(
                np.fft.rfft(kind(RATE, order="first", low=1, high=8000).apply(impulse, torch.tensor([cutoff]))[0, 0])
            )
            for kind in (LowPass, HighPass)
        ]
        low, high = answers
        assert low[0] == pytest.approx(1, abs=1e-3) and high[0] == pytest.approx(0, abs=1e-3)
        np.testing.assert_allclose([low[int(cutoff)] ** 2, high[int(cutoff)] ** 2], 0.5, atol=0.01)
        np.testing.assert_allclose(low**2 + high**2, 1, atol=1e-3)


def test_all_pass_keeps_every_magnitude_and_turns_phases():
    impulse = torch.zeros(4, 1, 16384)
    impulse[..., 0] = 1
    answers = np.fft.rfft(AllPass(RATE)(impulse, seeded())[:, 0].numpy())
    np.testing.assert_allclose(np.abs(answers), 1, atol=1e-3)
    assert np.abs(np.angle(answers)).max() > 2
    angles = AllPass(RATE).angles(torch.tensor([0.0, 1.0], dtype=torch.float64)) * RATE / (2 * np.pi)
    np.testing.assert_allclose(angles, [20, 2000], rtol=1e-9)


def test_delay_is_one_echo():
    impulse = torch.zeros(1, 1, 8000)
    impulse[..., 10] = 1
    out = Delay(RATE, factor=0.2).apply(impulse, torch.tensor([250.0]))[0, 0]
    assert out.nonzero()[:, 0].tolist() == [10, 4010]
    np.testing.assert_allclose(out[[10, 4010]], [0.5, 0.1])
    assert not Delay(RATE).apply(impulse, torch.tensor([600.0]))[0, 0, 11:].any()


def test_freeverb_equals_a_naive_one():
    sound, (reverberance, damping, room) = noise(1, samples=4000)[0, 0].numpy(), (70, 30, 20)
    sides = []
    for side in range(2):
        combs, passes = tank_lengths(RATE, room, side)
        wet = np.zeros(len(sound))
        for length in combs:
            line, low = np.zeros(length), 0.0
            for n, x in enumerate(sound):
                out = line[n % length]
                low = out * (1 - 0.2 - 0.3 * damping / 100) + low * (0.2 + 0.3 * damping / 100)
                line[n % length] = x + low * feedback(reverberance)
                wet[n] += out
        for length in reversed(passes):
            line = np.zeros(length)
            for n, x in enumerate(wet):
                out = line[n % length]
                line[n % length] = x + 0.5 * out
                wet[n] = out - x
        sides.append(wet * 0.015)
    ours = Freeverb(RATE).apply(torch.from_numpy(sound)[None, None], torch.tensor([[reverberance, damping, room]]))
    np.testing.assert_allclose(ours[0, 0], sound + np.mean(sides, axis=0), atol=1e-6)
    both = torch.from_numpy(sound)[None, None].repeat(1, 2, 1)
    stereo = Freeverb(RATE).apply(both, torch.tensor([[reverberance, damping, room]]))[0]
    np.testing.assert_allclose(stereo, sound + np.stack(sides), atol=1e-6)


def test_freeverb_numbers():
    assert feedback(0) == pytest.approx(0.3) and feedback(100) == pytest.approx(0.98)
    combs, passes = tank_lengths(44100, 100, 0)
    assert tuple(combs) == COMBS and tuple(passes) == (225, 341, 441, 556)
    assert tank_lengths(44100, 0, 0)[0][0] == 112
    assert tank_lengths(44100, 100, 1)[0][:2] == [1128, 1176]


def test_noise_reverb_dies_away_in_its_time():
    impulse = torch.zeros(8, 1, 16000)
    impulse[..., 0] = 1
    wet = NoiseReverb(RATE, seconds=(0.5, 0.5), wet=(0.5, 0.5))(impulse, seeded()) - impulse
    assert wet.square().sum(dim=(1, 2)).sqrt().numpy() == pytest.approx(0.5, abs=1e-3)
    early, late = wet[..., :800].square().mean(), wet[..., 3200:4000].square().mean()
    assert 10 * torch.log10(late / early).item() == pytest.approx(-60 * 0.2 / 0.5, abs=1.5)


@pytest.mark.parametrize("cents", [-700, -120, 300, 700])
def test_pitch_moves_and_tempo_stays(cents):
    out = PitchShift(RATE).apply(tone(440), torch.tensor([cents]))[0, 0].numpy()
    assert loudest_frequency(out) == pytest.approx(440 * 2 ** (cents / 1200), rel=0.01)
    assert np.sqrt(np.mean(out[2000:-2000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)
    clicks = torch.zeros(1, 1, 32000)
    places = [8000, 16000, 24000]
    for place in places:
        clicks[..., place : place + 1000] = noise(1, samples=1000, level=0.5)
    moved = PitchShift(RATE).apply(clicks, torch.tensor([cents]))[0, 0].abs().numpy()
    for place in places:
        assert moved[place - 1000 : place + 1400].max() > 0.1  # within half a segment
    assert PitchShift(RATE).apply(clicks, torch.tensor([0])).equal(clicks)


@pytest.mark.parametrize("factor", [0.6, 0.8, 1.25, 1.7])
def test_tempo_changes_and_pitch_stays(factor):
    sound = tone(500)[0].numpy()
    longer = stretch(sound, factor, RATE)
    assert longer.shape[1] == round(16000 * factor)
    assert loudest_frequency(longer[0]) == pytest.approx(500, rel=0.01)
    both = stretch(np.concatenate([sound, -sound]), factor, RATE)
    np.testing.assert_allclose(both[0], -both[1], atol=1e-6)  # channels move alike
    tempo = torch.tensor([1 / factor])
    out = TimeStretch(RATE).apply(tone(500), tempo)[0, 0].numpy()
    same = stretch(sound, 1 / tempo.item(), RATE)[0]  # single precision may place a segment elsewhere
    np.testing.assert_allclose(out[: min(len(out), len(same))], same[: len(out)])
    assert stretch(sound[:, :50], 2.0, RATE).shape == (1, 100)  # too short to search in


def test_stretching_by_one_and_resampling():
    sound = tone(500)[0].numpy()
    assert np.array_equal(stretch(sound, 1.0, RATE), sound)
    assert Resample().nearest(0.75) == (12, 16)

    class Fixed(Resample):
        def nearest(self, wanted):
            return 3, 4

    faster = Fixed()(tone(300), seeded())[0, 0].numpy()
    assert loudest_frequency(faster[:11000]) == pytest.approx(400, rel=0.01)
    assert np.abs(faster[12100:]).max() < 1e-6


def test_compand_leaves_soft_sound_and_keeps_the_peak():
    sound = torch.cat([tone(200, 8000) * 0.01, tone(200, 8000)], dim=2)
    out = Compand(RATE).apply(sound, torch.tensor([-20.0]), torch.tensor([4.0]))
    assert out.abs().max() == pytest.approx(0.5, abs=1e-4)
    before = sound[..., 6000:7900].abs().max() / sound[..., 14000:].abs().max()
    after = out[..., 6000:7900].abs().max() / out[..., 14000:].abs().max()
    assert after > 2 * before
    soft = tone(200) * 0.01
    torch.testing.assert_close(Compand(RATE).apply(soft, torch.tensor([-20.0]), torch.tensor([4.0])), soft)


@pytest.mark.parametrize(("rate", "format", "options"), [
    (44100, "mp3", {"kbps": 128}), (44100, "mp3", {"kbps": 32}), (16000, "mp3", {"kbps": 16}),
    (44100, "ogg", {"quality": 0.4}),
])  # fmt: skip
def test_codecs_come_back_in_step(rate, format, options):
    time = np.arange(rate) / rate
    sweep = 0.3 * np.sin(2 * np.pi * (150 * time + 500 * time**2))
    sound = np.stack([sweep, np.roll(sweep, 700)]).astype(np.float32)
    coded = through_codec(sound, rate, format=format, **options)
    assert coded.shape == sound.shape
    middle = slice(3000, -3000)
    error = coded[:, middle] - sound[:, middle]
    assert 10 * np.log10(np.mean(sound[:, middle] ** 2) / np.mean(error**2)) > 10
    assert np.abs(error).max() > 1e-4


def test_fewer_bits_do_more_harm():
    sound = noise(1, samples=44100)[0].numpy()
    harm = [np.mean((through_codec(sound, 44100, format="mp3", kbps=k) - sound) ** 2) for k in (320, 128, 64, 32)]
    assert harm == sorted(harm)
    assert mp3_level(44100, 320) == 0 and mp3_level(44100, 176) == 0.5 and mp3_level(16000, 8) == 0.999


def test_delays_between_sounds():
    sound = noise(2, samples=4000)[:, 0].numpy()
    late = np.stack([np.roll(sound[0], 37), np.roll(sound[1], -41)])
    assert delay_between(sound, late).tolist() == [37, -41]
    assert delay_between(sound, late, most=38)[0] == 37


def test_mixing():
    audio = torch.eye(4)[:, None]
    mixed = MixItems()(audio, seeded())
    assert (mixed.sum(dim=2) == 2).all() and ((mixed == 1).sum(dim=2) == 2).all()
    assert (mixed * audio).sum(dim=2).eq(1).all()
    one = MixItems()(audio[:1], seeded())
    assert torch.equal(one, audio[:1])
    stems = [torch.full((1, 3), float(10**i)) for i in range(3)]
    sums = [mix_stems(stems, seeded(s), most=2, gain_db=(0, 0))[0, 0].item() for s in range(60)]
    assert set(sums) == {1, 10, 100, 2, 20, 200, 11, 101, 110}
    stereo = torch.stack([torch.zeros(50, 9), torch.ones(50, 9)], dim=1)
    assert set(RandomChannel()(stereo, seeded()).mean(dim=(1, 2)).tolist()) == {0.0, 1.0}


def test_presets():
    audio = noise(6, samples=30000)
    paper, rewrite = clmr_chain("paper"), clmr_chain("v2")
    assert [p for p, _ in paper.steps] == [0.8, 0, 0.3, 0.8, 0.3, 0.6, 0.6]
    assert [p for p, _ in rewrite.steps] == [0.8, 0.01, 0.3, 0.8, 0.3, 0.6, 0.6]
    for chain in (paper, rewrite, clmr_chain("v1", samples=20000)):
        first, second = chain(audio, seeded(1)), chain(audio, seeded(2))
        assert first.shape[2] in (30000, 20000) and not torch.allclose(first, second)
    assert clmr_chain(samples=59049).steps[0][1].samples == 59049
    ours, official = rave_chain(44100, gain=0.9), rave_chain(44100, gain=0.9, quirks="official")
    assert [type(t).__name__ for _, t in ours.steps] == ["Gain", "AllPass", "Dequantise"]
    assert [type(t).__name__ for _, t in official.steps] == ["AllPass", "Dequantise"]
    clean, coded = ApolloDamage(44100)(noise(2, 2, 20000, level=0.3), seeded())
    peaks = torch.maximum(clean.abs().amax(dim=(1, 2)), coded.abs().amax(dim=(1, 2)))
    torch.testing.assert_close(peaks, torch.ones(2))
    assert not torch.allclose(clean, coded, atol=1e-3)


@pytest.mark.parametrize(
    "make",
    [lambda: Chain([(1.5, Polarity())]), lambda: Chain([], quirks="odd"), lambda: Crop(0), lambda: Gain(3, -3),
     lambda: Noise(reference="peak"), lambda: LowPass(RATE, 100, 9000), lambda: LowPass(RATE, order="third"),
     lambda: Delay(RATE, milliseconds=[]), lambda: PitchShift(RATE, -5000, 0), lambda: Freeverb(RATE, 50, 20),
     lambda: CodecRoundTrip(RATE, format="wma"), lambda: CodecRoundTrip(RATE, kbps=(320,)),
     lambda: CodecRoundTrip(11000), lambda: clmr_chain("v3"), lambda: AllPass(RATE, radius=1.0),
     lambda: Resample(0.999, 1.001), lambda: Dequantise(1), lambda: Chain([])(torch.zeros(3, 5), seeded())],
)  # fmt: skip
def test_wrong_arguments_are_told(make):
    with pytest.raises(OptionError) as error:
        make()
    assert str(error.value).endswith(".") and str(error.value).count(". ") == 0


def test_what_the_package_offers():
    assert all(callable(getattr(augment, name)) for name in augment.__all__)
    with pytest.raises(InputError):
        mix_stems([], seeded())
