"""What the published arguments and configurations of RAVE mean, checked against facts of the published code."""

import pytest
import torch

from orchestrion.analysis.pqmf import Pqmf
from orchestrion.errors import OptionError, WeightsError
from orchestrion.hub.official import rave as official
from orchestrion.nn.latent_prior import LatentPrior
from orchestrion.nn.streaming import Place, Plan
from orchestrion.nn.strided_autoencoder import HeadedDecoder
from orchestrion.systems.rave import RAVE
from orchestrion.systems.rave_training import Crops, Training

SIZES = ["CAPACITY = 4", "LATENT_SIZE = 6", "RATIOS = [4, 2, 2]"]
V1 = [*SIZES, "blocks.NoiseGenerator.ratios = [2, 2]"]
V2 = [*SIZES, "DILATIONS = [[1, 3], [1], [1, 2, 3]]"]


def told(file, *lines, **more):
    """Our arguments of a published configuration with changes."""
    return official.arguments({"gin file": file, "overrides": list(lines), **more})


def test_the_published_stream_does_not_multiply_the_delay_of_loudness():
    for stride in (2, 4, 8):
        decoder = HeadedDecoder(
            latent=2, capacity=2, out_channels=4, ratios=(4, 4), loudness_stride=stride, noise_ratios=()
        )
        stream, after = Plan(exact=False).build(decoder, Place(1))
        _, trunk = Plan(exact=False).build(decoder.net, Place(1))
        assert after.late == trunk.late + 3  # that of the waveform, of 7 taps
        assert stream.heads[1].parts[0].frames == 3 - 1  # the convolution of loudness is late by one of its frames


def test_causal_networks_have_a_causal_filter_bank():
    causal = "cc.get_padding.mode = 'causal'"
    headed = RAVE(**told("v1.gin", *V1, causal))
    assert headed.receptive_field() == (7513, 0)  # as the published code measures it
    residual = RAVE(**told("v2.gin", *V2, causal))
    assert residual.streaming_decoder(latent_size=6).after.late == 224
    bank = Pqmf(bands=4, attenuation=60.0, quirks="official", padding="anticausal")
    mirror = Pqmf(bands=4, attenuation=60.0, quirks="official", padding="causal")
    assert (bank.analysis_pads, mirror.synthesis_pads) == ((0, bank.taps), (bank.taps, 0))
    x = torch.rand(1, 1, 256) - 0.5
    centred = Pqmf(bands=4, attenuation=60.0, quirks="official")
    late = centred.taps // 2  # even, so that the signs of odd bands agree
    torch.testing.assert_close(mirror.analyse(x)[..., late:], centred.analyse(x)[..., :-late])
    with pytest.raises(OptionError, match="padding is 'x'"):
        Pqmf(padding="x")


FIRST = {
    "data_size": 4, "capacity": 4, "latent_size": 6, "ratios": [4, 2, 2], "bias": True, "loud_stride": 1,
    "use_noise": True, "noise_ratios": [2, 2], "noise_bands": 5, "d_capacity": 4, "d_multiplier": 2, "d_n_layers": 2,
    "warmup": 100, "mode": "hinge", "sr": 48000,
}  # fmt: skip


def biased(model):
    """Parts of a network with biases, other than normalisations."""
    return {name.removesuffix(".bias") for name, value in model.named_parameters() if name.endswith(".bias")}


def test_the_noise_head_of_the_first_code_always_has_biases():
    model = RAVE(**official.arguments({**FIRST, "bias": False}))
    norms = {name for name in biased(model) if name.startswith("encoder.")}
    assert biased(model) - norms == {"decoder.noise.net.0", "decoder.noise.net.2"}
    assert norms == {"encoder.net.1", "encoder.net.4", "encoder.net.7"}


def test_the_rate_of_the_first_code_where_none_is_given():
    assert RAVE(**official.arguments({name: value for name, value in FIRST.items() if name != "sr"})).rate == 24000
    assert RAVE(**official.arguments(FIRST)).rate == 48000


@pytest.mark.parametrize(
    "given",
    [
        official.arguments({**FIRST, "mode": "square"}),
        told("v1.gin", *V1, "rave.RAVE.gan_loss = @core.ls_gan"),
    ],
)
def test_the_least_squares_loss(given):
    torch.manual_seed(0)
    model = RAVE(**given)
    training = Training(model, model.discriminator())
    scores = [torch.randn(2, 1, 8) for _ in range(4)]
    training._features = lambda real, fake: ([[scores[0]], [scores[1]]], [[scores[2]], [scores[3]]])
    x = torch.rand(1, 1, 4 * model.ratio) - 0.5
    found = training.judge(Crops(x, 0))
    wanted = sum(float(((real - 1) ** 2 + fake**2).mean()) for real, fake in zip(scores[:2], scores[2:], strict=True))
    assert float(found.value) == pytest.approx(wanted, rel=1e-5)


def test_an_adversarial_loss_that_is_unknown():
    with pytest.raises(WeightsError, match="no adversarial loss 'x'"):
        official.arguments({**FIRST, "mode": "x"})
    with pytest.raises(OptionError, match="adversary is 'x'"):
        RAVE(adversary="x")


def test_the_first_code_counts_the_distance_of_a_single_band_once():
    torch.manual_seed(0)
    model = RAVE(**official.arguments({**FIRST, "data_size": 1, "ratios": [4, 4, 2]}))
    x, y = torch.rand(1, 1, 4096) - 0.5, torch.rand(1, 1, 4096) - 0.5
    found = model.distances(x, y)
    assert set(found) == {"whole", "loudness"}
    training = Training(model, model.discriminator())
    assert float(training._distance(found)) == pytest.approx(float(found["whole"] + found["loudness"]))
    later = RAVE(**told("v1.gin", *V1, "N_BAND = 1"))
    assert set(later.distances(x, y)) == {"bands", "whole"}


def test_a_published_discrete_checkpoint_keeps_whether_it_rounds():
    assert official.rename("encoder.enabled") == "bottleneck.enabled"
    torch.manual_seed(0)
    model = RAVE(**told("discrete.gin", *V2, "NUM_QUANTIZERS = 2", "CODEBOOK_SIZE = 4")).eval()
    raw = torch.randn(1, 6, 5)
    rounded = model.bottleneck(raw)
    assert not torch.equal(rounded.z, raw)
    old = {name: value for name, value in model.state_dict().items() if name != "bottleneck.enabled"}
    state = official.convert({"decoder.net.0.weight": torch.zeros(1), "encoder.enabled": torch.tensor(0)})
    model.load_state_dict({**old, "bottleneck.enabled": state["bottleneck.enabled"]})
    bottled = model.bottleneck(raw)
    assert torch.equal(bottled.z, raw) and torch.equal(model.bottleneck.point(raw), raw) and not bottled.penalty
    model.load_state_dict(old)  # from before there was a choice
    assert torch.equal(model.bottleneck(raw).z, rounded.z)


def test_a_prior_without_biases():
    torch.manual_seed(0)
    ours = LatentPrior(dims=2, bins=4, width=8, skip=4, layers=2, bias=False)
    layer = {"dilated": "dconv", "onward": "rconv", "skip": "sconv"}
    published = {}
    for name, value in ours.state_dict().items():
        place, _, rest = name.partition(".")
        if place == "layers":
            number, part, kind = rest.split(".")
            published[f"residuals.{number}.{layer[part]}.{kind}"] = value
        else:
            published[f"pre_net.0.{rest}" if place == "first" else f"post_net.{rest}"] = value
    again = LatentPrior(dims=2, bins=4, width=8, skip=4, layers=2)
    again.load_state_dict(official.convert_prior(published))
    hot = ours.one_hot(torch.randint(0, 4, (1, 2, 9)))
    torch.testing.assert_close(again(hot), ours(hot))
