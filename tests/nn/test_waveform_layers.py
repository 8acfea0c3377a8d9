"""Layers of waveform networks against naive versions: filter bank, streams, losses, discriminators, latents, priors."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from orchestrion.analysis.pqmf import Pqmf, filter_bank, from_frames, to_frames
from orchestrion.codecs.block_stream import StreamingNetwork
from orchestrion.errors import OptionError
from orchestrion.nn.activations import Snake, SnakeBeta, activation
from orchestrion.nn.convolution import Conv1d, ConvTranspose1d, Residual, Summed, same_padding
from orchestrion.nn.discriminators import DAC_BANDS, BandScore, MultiPeriod, waveform_discriminator
from orchestrion.nn.latent_maps import from_angles, to_angles
from orchestrion.nn.latent_prior import LatentPrior, from_bins, shift_back, shift_diagonally, to_bins
from orchestrion.nn.latent_space import LatentSpace
from orchestrion.nn.mel_front import MelFront
from orchestrion.nn.streaming import Place, Plan
from orchestrion.paradigms.spectral import SIZES, magnitudes, spectral_distance


def naive_bands(x, bank):
    """One band after the other: convolve, take every M-th sample, turn odd bands round."""
    count, taps = bank.shape
    padded = np.pad(x, (taps // 2, taps // 2))
    frames = len(x) // count
    made = np.array([[padded[count * m : count * m + taps] @ row for m in range(frames)] for row in bank])
    made[1::2, ::2] *= -1
    return made


def test_filter_bank_is_what_it_says():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(512).astype(np.float32)
    found = Pqmf(bands=4, attenuation=60).analyse(torch.from_numpy(x)[None, None])[0]
    np.testing.assert_allclose(found, naive_bands(x, filter_bank(4, 60)), atol=1e-5)


@pytest.mark.parametrize("frequency", [100, 200, 490, 1300, 3100, 7100])
def test_a_tone_comes_back_and_is_in_its_band(frequency):
    rate, bands = 16000, 16
    x = torch.sin(2 * torch.pi * frequency * torch.arange(16384) / rate)[None, None]
    pqmf = Pqmf(bands=bands)
    made = pqmf.analyse(x)
    assert int(made.square().mean((0, 2)).argmax()) == int(frequency / (rate / 2 / bands))
    again = pqmf.synthesise(made)[..., 1024:-1024]
    x = x[..., 1024:-1024]
    assert 10 * torch.log10(x.square().mean() / (x - again).square().mean()) > 60


def test_low_is_low_in_every_band():
    """Without the change of signs odd bands would be upside down."""
    rate, bands = 16000, 8
    for band in range(bands):
        low, high = ((band + share) * rate / 2 / bands for share in (0.2, 0.8))
        peaks = []
        for frequency in (low, high):
            x = torch.sin(2 * torch.pi * frequency * torch.arange(8192) / rate)[None, None]
            peaks.append(int(torch.fft.rfft(Pqmf(bands=bands).analyse(x)[0, band, 100:-100]).abs().argmax()))
        assert peaks[0] < peaks[1]


@settings(max_examples=8, deadline=None)
@given(channels=st.integers(1, 3), frames=st.integers(1, 40), bands=st.sampled_from([2, 4, 16]))
def test_frames_and_back(channels, frames, bands):
    x = torch.randn(2, channels, frames * bands)
    assert torch.equal(from_frames(to_frames(x, bands), bands), x)
    pqmf = Pqmf(bands=bands)
    alone = torch.cat([pqmf.analyse(x[:, n : n + 1]) for n in range(channels)], 1)
    torch.testing.assert_close(pqmf.analyse(x), alone)


def test_one_band_is_the_waveform():
    x = torch.randn(1, 2, 10)
    assert Pqmf(bands=1).analyse(x) is x and Pqmf(bands=1).synthesise(x) is x


@pytest.mark.parametrize("grad", [True, False])
def test_waves_of_snakes_are_multiplied_not_divided(grad):
    """To the last bit, as differences grow from layer to layer."""
    torch.manual_seed(0)
    x, a, b = 3 * torch.randn(2, 5, 700), 0.1 + torch.rand(5, 1), torch.randn(5, 1)
    snake, beta = Snake(5), SnakeBeta(5)
    snake.load_state_dict({"alpha": a})
    beta.load_state_dict({"alpha": a, "beta": b})
    with torch.set_grad_enabled(grad):
        assert torch.equal(snake(x), x + 1 / (a + 1e-9) * torch.sin(a * x) ** 2)
        assert torch.equal(beta(x), x + 1 / (b.exp() + 1e-9) * torch.sin(a.exp() * x) ** 2)
    assert not torch.equal(snake(x), x + torch.sin(a * x) ** 2 / (a + 1e-9))


@settings(max_examples=25, deadline=None)
@given(
    kernel=st.integers(1, 9),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
    padding=st.sampled_from(["centred", "causal", "anticausal"]),
    late=st.integers(0, 11),
    bias=st.booleans(),
    block=st.integers(1, 3),
)
def test_any_convolution_streams(kernel, stride, dilation, padding, late, bias, block):
    """Whatever its sizes and however late its input, the output is the whole one, late by what was computed."""
    torch.manual_seed(0)
    conv = Conv1d(2, 3, kernel, stride=stride, dilation=dilation, bias=bias, padding=padding)
    x = torch.randn(1, 2, 12 * stride)
    whole = conv(x).detach()
    plan = Plan()
    module, after = plan.build(conv, Place(stride, late))
    run = StreamingNetwork(module, plan, Place(stride, late), after).run(1)
    rubbish = torch.randn(1, 2, late)  # what is before the start must not be heard
    steps = 12 + late + 40
    longer = torch.cat([rubbish, x, torch.randn(1, 2, steps * stride - late - 12 * stride)], -1)
    parts, done = [], 0
    while done < steps:
        count = min(block, steps - done)
        present = done < 12
        count = min(count, 12 - done) if present else count
        parts.append(run(longer[..., done * stride : (done + count) * stride], present=present))
        done += count
    made = torch.cat(parts, -1)[..., after.late :][..., : whole.shape[-1]]
    torch.testing.assert_close(made, whole, rtol=1e-5, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(stride=st.integers(2, 6), extra=st.integers(1, 9), pad=st.integers(0, 2), block=st.integers(1, 4))
def test_any_transposed_convolution_streams(stride, extra, pad, block):
    torch.manual_seed(0)
    conv = ConvTranspose1d(2, 3, stride + extra, stride=stride, padding=pad)
    x = torch.randn(2, 2, 9)
    whole = conv(x).detach()
    plan = Plan()
    module, after = plan.build(conv, Place(1))
    assert after == Place(stride, pad)
    run = StreamingNetwork(module, plan, Place(1), after).run(2)
    made = torch.cat(list(run.whole(x.split(block, -1))), -1)
    count = min(made.shape[-1], whole.shape[-1])
    torch.testing.assert_close(made[..., :count], whole[..., :count], rtol=1e-5, atol=1e-5)


def test_branches_wait_for_each_other():
    torch.manual_seed(0)
    net = nn.Sequential(
        Summed([Conv1d(2, 2, 3), nn.Sequential(nn.LeakyReLU(0.2), Conv1d(2, 2, 9, dilation=2))]),
        nn.BatchNorm1d(2),
        Residual(nn.Sequential(Conv1d(2, 2, 5), nn.ELU())),
    ).eval()
    net[1].running_mean.fill_(0.7)
    x = torch.randn(1, 2, 50)
    plan = Plan()
    module, after = plan.build(net, Place(1))
    assert after.late == 8 + 2
    made = torch.cat(list(StreamingNetwork(module, plan, Place(1), after).run(1).whole(x.split(7, -1))), -1)
    torch.testing.assert_close(made, net(x).detach(), rtol=1e-5, atol=1e-5)


def test_what_cannot_stream_is_refused():
    with pytest.raises(OptionError, match="GroupNorm cannot work block by block"):
        Plan().build(nn.GroupNorm(1, 2), Place(1))
    with pytest.raises(OptionError, match="cannot be divided by a stride of 2"):
        Plan().build(Conv1d(1, 1, 3, stride=2), Place(3))
    with pytest.raises(OptionError, match="no padding 'x'"):
        same_padding(3, padding="x")
    with pytest.raises(OptionError, match="no activation 'x'"):
        activation("x")
    run = StreamingNetwork(
        *(lambda p: (p.build(Conv1d(1, 1, 3, stride=2), Place(2))[0], p, Place(2), Place(1)))(Plan())
    ).run(1)
    with pytest.raises(OptionError, match="give a multiple of 2"):
        run(torch.zeros(1, 1, 3))


def naive_distance(target, made, squared, floor, normalized):
    total = 0
    for size in SIZES:
        x, y = (magnitudes(one, size, normalized=normalized) for one in (target, made))
        ratio = (x - y).square().mean() / x.square().mean()
        total = (
            total + (ratio if squared else ratio.sqrt()) + (torch.log(x + floor) - torch.log(y + floor)).abs().mean()
        )
    return total


@pytest.mark.parametrize("linear, normalized", [("squared", False), ("frobenius", True)])
def test_gradient_of_spectral_distance(linear, normalized):
    torch.manual_seed(0)
    target, made = 0.1 * torch.randn(2, 3, 3000), (0.1 * torch.randn(2, 3, 3000)).requires_grad_()
    wanted = naive_distance(target, made, linear == "squared", 1e-3, normalized)
    found = spectral_distance(target, made, linear=linear, normalized=normalized, log_floor=1e-3)
    torch.testing.assert_close(found, wanted)
    slopes = [torch.autograd.grad(2 * one, made)[0] for one in (wanted, found)]
    torch.testing.assert_close(slopes[1], slopes[0], rtol=1e-3, atol=1e-3 * float(slopes[0].abs().max()))
    assert float(spectral_distance(target, target)) == 0
    assert float(spectral_distance(target[..., :200], target[..., :200] * 2)) > 0  # the largest scales left out
    with pytest.raises(ValueError, match="too short"):
        spectral_distance(target[..., :64], target[..., :64])


def test_periods_are_folded():
    seen = []

    class Probe(nn.Module):
        def forward(self, x):
            seen.append(x)
            return [x]

    MultiPeriod(Probe, periods=(2, 3))(torch.arange(7.0)[None, None])
    assert seen[0].tolist() == [[[[0, 1], [2, 3], [4, 5], [6, 0]]]]
    assert seen[1].tolist() == [[[[0, 1, 2], [3, 4, 5], [6, 0, 0]]]]


@pytest.mark.parametrize(
    "kind, parts", [("scales", 3), ("periods and scales", 5), ("melgan", 3), ("spectra and scales", 8)]
)
def test_discriminators(kind, parts):
    judge = waveform_discriminator(kind=kind, channels=2, capacity=4, periods=(2, 3), layers=2)
    x = torch.randn(2, 2, 8192)
    found = judge(x)
    assert len(found) == parts and all(one[-1].shape[1] == 1 for one in found)
    other = judge(torch.cat([x[:1], torch.randn(1, 2, 8192)]))
    for one, two in zip(found, other, strict=True):  # items do not hear each other
        torch.testing.assert_close(one[-1][:1], two[-1][:1])
        assert not torch.equal(one[-1][1:], two[-1][1:])


def test_bands_of_a_spectrum_have_their_own_layers():
    torch.manual_seed(0)
    judge = BandScore(64, width=2)
    tone = torch.sin(2 * torch.pi * 0.45 * torch.arange(512.0))[None, None]
    quiet, loud = judge(torch.zeros(1, 1, 512)), judge(tone)
    per_band = (len(loud) - 1) // len(DAC_BANDS)
    moved = [float((loud[per_band * n] - quiet[per_band * n]).abs().mean()) for n in range(len(DAC_BANDS))]
    assert max(moved) == moved[-1]


def test_axes_of_latents():
    torch.manual_seed(0)
    turn = torch.linalg.qr(torch.randn(4, 4))[0]
    means = (torch.randn(5000, 4) * torch.tensor([3.0, 1.0, 0.3, 0.1])) @ turn + torch.tensor([1.0, 2, 3, 4])
    space = LatentSpace(4)
    space.fit(means)
    torch.testing.assert_close(space.axes @ space.axes.T, torch.eye(4), rtol=0, atol=1e-5)
    z = means[:20].T[None]
    coordinates = space.rotate(z, 4)
    torch.testing.assert_close(space.restore(coordinates), z, rtol=1e-4, atol=1e-4)
    assert coordinates.std(-1)[0].argsort(descending=True).tolist() == [0, 1, 2, 3]
    share = torch.tensor([9.0, 1, 0.09, 0.01]).cumsum(0) / 10.1
    torch.testing.assert_close(space.fidelity, share, rtol=0, atol=0.01)
    paper = LatentSpace(4, measure="singular_values")
    paper.fit(means)
    torch.testing.assert_close(paper.fidelity, torch.tensor([3.0, 1, 0.3, 0.1]).cumsum(0) / 4.4, rtol=0, atol=0.02)
    assert paper.dims(0.95) > space.dims(0.95)  # the paper's measure asks for more
    with pytest.raises(OptionError, match="at least two frames"):
        space.fit(means[:1])
    with pytest.raises(OptionError, match="between 0 and 1"):
        space.dims(1.5)


@settings(max_examples=10, deadline=None)
@given(dim=st.integers(3, 8), seed=st.integers(0, 99))
def test_angles_and_back(dim, seed):
    z = torch.randn(2, dim, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    z = z / z.norm(dim=1, keepdim=True)
    angles = to_angles(z)
    assert angles.shape[1] == dim - 1 and bool((angles.abs() <= 1).all())
    torch.testing.assert_close(from_angles(angles), z, rtol=0, atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(dims=st.integers(1, 5), frames=st.integers(9, 20))
def test_shifts_and_bins(dims, frames):
    z = torch.randn(2, dims, frames)
    shifted = shift_diagonally(z)
    for dim in range(dims):  # dimension i at step t is that of frame t − i, counted from the last that all have
        assert torch.equal(shifted[:, dim, 0], z[:, dim, dims - 1 - dim])
    back = shift_back(shifted)
    assert torch.equal(back, z[..., dims - 1 : frames - dims + 1])
    bins = to_bins(z, 64)
    assert torch.equal(to_bins(from_bins(bins, 64), 64), bins)
    assert float((from_bins(bins, 64) - z.clamp(-2, 2))[z.abs() < 2].abs().max()) < 0.2


def test_the_prior_sees_the_past_only_and_samples_as_it_predicts():
    torch.manual_seed(0)
    prior = LatentPrior(dims=2, bins=4, width=8, skip=4, layers=3, cycle=2).eval()
    chosen = torch.randint(4, (1, 2, 12))
    other = chosen.clone()
    other[..., 7] = (other[..., 7] + 1) % 4
    with torch.no_grad():
        one, two = prior(prior.one_hot(chosen)), prior(prior.one_hot(other))
    assert torch.equal(one[..., :7], two[..., :7]) and not torch.equal(one[..., 7:], two[..., 7:])
    drawn = prior.sample(5, batch=2, generator=torch.Generator().manual_seed(1))
    assert drawn.shape == (2, 2, 5)
    assert torch.equal(drawn, prior.sample(5, batch=2, generator=torch.Generator().manual_seed(1)))
    with torch.no_grad():  # a prior that is sure of the last bin
        prior.last[2].bias.copy_(torch.tensor([-99.0, -99, -99, 99]).repeat(2))
        prior.last[2].weight.zero_()
    assert bool((to_bins(prior.sample(6), 4) == 3).all())
    with pytest.raises(OptionError, match="cannot be drawn"):
        prior.sample(0)


def test_mel_front_in_frames_of_its_hop():
    front = MelFront(sample_rate=8000, bands=6, size=64, hop=16)
    x = torch.randn(1, 2, 320)
    made = front(x)
    assert made.shape == (1, 12, 20)
    padded = torch.nn.functional.pad(x, (32, 32))
    torch.testing.assert_close(front.inner()(padded)[..., :20], made)
