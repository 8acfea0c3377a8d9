"""What the published arguments and configurations of RAVE mean, checked against facts of the published code."""

import pytest
import torch

from orchestrion.analysis.pqmf import Pqmf
from orchestrion.errors import OptionError, WeightsError
from orchestrion.hub.official import rave as official
from orchestrion.nn.convolution import Conv1d, ConvTranspose1d
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


LISTED = """
CAPACITY = 4
LATENT_SIZE = 6
N_BAND = 4
RATIOS = [4, 2, 2]
cc.Conv1d.bias = False
variational/cc.Conv1d.bias = False
scales/torch.nn.Conv1d.bias = True
periods/nn.Conv2d.bias = True
blocks.Encoder.capacity = %CAPACITY
blocks.Generator.use_noise = False
pqmf.CachedPQMF.n_band = %N_BAND
scales/discriminator.ConvNet.capacity = %CAPACITY
scales/discriminator.ConvNet.conv = @torch.nn.Conv1d
scales/discriminator.ConvNet.kernel_size = 15
scales/discriminator.ConvNet.stride = 4
rave.RAVE.encoder = @blocks.VariationalEncoder
rave.RAVE.decoder = @blocks.Generator
"""


def test_the_configuration_that_a_training_writes_down(tmp_path):
    given = official.arguments({"config": LISTED})
    assert not given.get("bias") and not given["noise_ratios"]
    (tmp_path / "config.gin").write_text(LISTED)
    for channels in (1, 2):
        model = RAVE(**given | {"channels": channels})
        state = {name.replace("encoder.net.", "encoder.encoder.net."): one for name, one in model.state_dict().items()}
        torch.save({"state_dict": state}, tmp_path / "best.ckpt")
        assert official.arguments_of(tmp_path / "best.ckpt") == {**given, "channels": channels}
    state["encoder.encoder.net.0.weight"] = torch.zeros(4, 5, 7)
    torch.save({"state_dict": state}, tmp_path / "best.ckpt")
    with pytest.raises(WeightsError, match="of another network"):
        official.arguments_of(tmp_path / "best.ckpt")


def test_ratios_and_dilations_that_are_not_as_many():
    fewer = RAVE(**told("v2.gin", *SIZES))
    assert [unit.body[1].dilation[0] for unit in fewer.encoder.net if hasattr(unit, "body")] == [1, 3, 9] * 3
    assert [unit.body[1].dilation[0] for unit in fewer.decoder.net if hasattr(unit, "body")] == [1, 3, 1, 3, 9, 1, 3, 9]
    more = told("v2.gin", "CAPACITY = 4", "RATIOS = [2, 2, 2, 2, 2]")
    assert more["ratios"] == (2, 2, 2, 2) and "encoder_ratios" not in more
    assert (more["encoder_capacity"], more["capacity"]) == (4, 8)  # the width counts all ratios
    kept = told("v2.gin", "CAPACITY = 4", "RATIOS = [3, 2, 2, 2, 3]", "blocks.GeneratorV2.keep_dim = True")
    assert (kept["encoder_ratios"], kept["ratios"], kept["capacity"]) == ((3, 2, 2, 2), (2, 2, 2, 3), 12)


def test_encoder_and_decoder_have_sizes_of_their_own():
    given = told(
        "v2.gin", *V2, "blocks.GeneratorV2.capacity = 3", "blocks.EncoderV2.kernel_size = 5",
        "blocks.GeneratorV2.keep_dim = True", "blocks.EncoderV2.activation = @blocks.Snake",
        "blocks.GeneratorV2.adain = @blocks.AdaptiveInstanceNormalization", "blocks.GeneratorV2.dilations = [1, 2]",
    )  # fmt: skip
    model = RAVE(**given)
    assert model.encoder.net[0].weight.shape == (4, 16, 11)
    assert model.decoder.net[0].weight.shape == (3 * 16, 6, 3)
    kinds = [{type(part).__name__ for part in one.modules()} for one in (model.encoder, model.decoder)]
    assert ["Snake" in one for one in kinds] == [True, False]
    assert ["AdaptiveInstanceNorm" in one for one in kinds] == [False, True]
    assert (given["dilations"], given["encoder_dilations"]) == ((1, 2), ((1, 3), (1,), (1, 2, 3)))


@pytest.mark.parametrize("first", [True, False])
def test_the_order_of_lines_does_not_count(first):
    module = ["blocks.GeneratorV2.noise_module = @blocks.NoiseGeneratorV2"]
    sizes = ["blocks.NoiseGeneratorV2.hidden_size = 9", "blocks.NoiseGeneratorV2.ratios = [2, 4]"]
    given = told("v2.gin", *V2, *(module + sizes if first else sizes + module))
    assert (given["noise_ratios"], given["noise_hidden"]) == ((2, 4), 9)
    assert told("v2.gin", "blocks.EncoderV2.capacity = 3", "CAPACITY = 4")["encoder_capacity"] == 3
    assert told("onnx.gin", "blocks.Generator.use_noise = True")["noise_ratios"] == (4, 4, 4)
    assert told("v2.gin", "blocks.VariationalEncoder.beta = 0.5")["beta"] == (5e-7, 0.025, 20_000)


@pytest.mark.parametrize(
    "file, line",
    [
        ("v1.gin", "DILATIONS = [[2], [2], [2], [2]]"),
        ("v1.gin", "NOISE_AUGMENTATION = 5"),
        ("v1.gin", "blocks.EncoderV2.kernel_size = 5"),
        ("v2.gin", "ENCODER_RATIOS = [2, 2]"),
        ("v2.gin", "NUM_GRU_LAYERS = 1"),
        ("v2.gin", "blocks.GRU.num_layers = 1"),
        ("v2.gin", "blocks.Generator.use_noise = True"),
        ("v2.gin", "blocks.Encoder.capacity = 5"),
        ("v2.gin", "blocks.ResidualStack.dilations_list = [[2]]"),
        ("v2.gin", "blocks.NoiseGeneratorV2.ratios = [2]"),
        ("v2_small.gin", "blocks.NoiseGenerator.ratios = [4]"),
        ("v2_nopqmf.gin", "RATIOS = [4, 2, 2]"),
        ("v3.gin", "discriminator.MultiPeriodDiscriminator.periods = [2]"),
    ],
)
def test_lines_without_effect(file, line):
    assert told(file, line) == told(file)


def test_configurations_on_top_of_each_other():
    both = {**told("v2.gin"), "noise_ratios": (2, 2, 2), "noise_points": 5, "noise_hidden": 128}
    assert told(["v2.gin", "noise.gin"]) == told("v2 + noise") == told("noise.gin") == both
    assert told("v1 + causal")["padding"] == "causal"
    assert told("v1 + noise") == told("v1")
    assert told("v2 + spherical", "PHASE_1_DURATION = 7")["steps"] == (200_000, 5_800_000)
    assert told("v2 + adain + snake + descript_discriminator") == told("v3")


@pytest.mark.parametrize("file", ["v1.gin", "v2_small.gin"])
def test_biases_of_both_kinds_of_convolutions(file):
    lines = V1 if file == "v1.gin" else V2
    norms = biased(RAVE(**told(file, *lines)))
    ups = biased(RAVE(**told(file, *lines, "cc.ConvTranspose1d.bias = True"))) - norms
    others = biased(RAVE(**told(file, *lines, "cc.Conv1d.bias = True"))) - norms
    model = RAVE(**told(file, *lines))
    is_up = {name: isinstance(part, ConvTranspose1d) for name, part in model.named_modules()}
    is_plain = {name: isinstance(part, Conv1d) for name, part in model.named_modules()}
    assert ups == {name for name, there in is_up.items() if there} and len(ups) == 3
    assert others == {name for name, there in is_plain.items() if there}


@pytest.mark.parametrize(
    "file, line, what",
    [
        ("v2.gin", "blocks.normalization.mode = 'identity'", "mode to 'identity'"),
        ("v1.gin", "discriminator.ConvNet.stride = 2", "ConvNet.stride to 2"),
        ("v2.gin", "periods/discriminator.ConvNet.capacity = 3", "capacity of its discriminators"),
        ("v1.gin", "scales/discriminator.ConvNet.kernel_size = 9", "kernel_size to 9"),
        ("v2.gin", "blocks.EncoderV2.recurrent_layer = @blocks.GRU", "recurrent_layer"),
        ("v2.gin", "blocks.EncoderV2.activation = @nn.Tanh", "activation"),
        ("v1.gin", "rave.RAVE.decoder = @blocks.Other", "RAVE.decoder"),
        ("v1.gin", "rave.RAVE.decoder = @blocks.GeneratorV2\nblocks.VariationalEncoder.encoder = @blocks.Encoder",
         "another version"),
        ("v1.gin", "rave.RAVE.weights = {'audio_distance': 2}", "weights of the distances"),
        ("v2.gin", "discriminator.CombineDiscriminators.discriminators = [@discriminator.MultiScaleDiscriminator]",
         "discriminators"),
    ],
)  # fmt: skip
def test_what_this_network_cannot_do_is_said(file, line, what):
    with pytest.raises(WeightsError, match=what):
        told(file, line)


def test_weights_of_losses():
    given = told("v1.gin", "rave.RAVE.weights = {'feature_matching': 3, 'audio_distance': 2, "
                 "'multiband_spectral_distance': 2, 'regularization': 0.5}")  # fmt: skip
    assert (given["matching_weight"], given["distance_weight"], given["adversarial_weight"]) == (3.0, 2.0, 1.0)
    assert given["beta"][:2] == (0.05, 0.05)
    assert told("v1.gin", "rave.RAVE.weights = {}")["matching_weight"] == 20.0


def test_codes_of_fewer_dimensions():
    line = "quantization.ResidualVectorQuantization.codebook_dim = 3"
    model = RAVE(**told("discrete.gin", *V2, "CODEBOOK_SIZE = 4", line))
    assert model.bottleneck.quantizer.books[0].table.shape == (4, 3)


def test_the_small_configuration_without_bands():
    given = told("v2_nopqmf_small.gin")
    assert given == {**told("v2_nopqmf.gin"), "beta": (0.1, 0.1, 1), "steps": (500_000, 5_500_000)}
    lines = ["enable_pqmf_decode = False", "enable_pqmf_encode = True", "input_mode = 'pqmf'", "output_mode = 'pqmf'"]
    modes = told("v2.gin", *(f"rave.RAVE.{line}" for line in lines), "blocks.GeneratorV2.ratios = [8, 8, 8, 4]")
    assert (modes["input"], modes["output"]) == ("bands", "waveform")
