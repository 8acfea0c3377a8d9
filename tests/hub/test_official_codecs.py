"""What arguments of the published codecs mean where they are left out or seldom used."""

from __future__ import annotations

import pytest
import torch

from orchestrion.codecs.encodec import Encodec
from orchestrion.codecs.oobleck import Oobleck
from orchestrion.codecs.seanet import SeanetDecoder, SeanetEncoder
from orchestrion.codecs.vocos import Vocos
from orchestrion.errors import WeightsError
from orchestrion.hub.official import codecs as official

SIZES = {"dimension": 8, "n_filters": 4, "ratios": (3, 2)}


@pytest.mark.parametrize(
    ("package", "units", "norm", "identity", "lstm"),
    [("encodec", 1, "weight_norm", False, 2), ("audiocraft", 3, "none", True, 0)],
)
def test_the_packages_of_seanet_differ_in_what_is_left_out(package, units, norm, identity, lstm):
    for decoder in (False, True):
        ours = official.seanet_arguments(SIZES, decoder=decoder, package=package)
        assert (ours["units"], ours["norm"], ours["identity"], ours["lstm"]) == (units, norm, identity, lstm)
        said = {"n_residual_layers": 2, "norm": "time_group_norm", "true_skip": True, "lstm": 1}
        ours = official.seanet_arguments({**SIZES, **said}, decoder=decoder, package=package)
        assert (ours["units"], ours["norm"], ours["identity"], ours["lstm"]) == (2, "time_group_norm", True, 1)
    with pytest.raises(WeightsError, match="no package 'other'"):
        official.seanet_arguments(SIZES, decoder=False, package="other")


@pytest.mark.parametrize(("eps", "affine"), [(1e-5, True), (1e-2, True), (0.5, False)])
@torch.inference_mode()
def test_norms_of_seanet_take_their_parameters(eps, affine):
    arguments = {**SIZES, "norm": "time_group_norm", "norm_params": {"eps": eps, "affine": affine}}
    encoder = SeanetEncoder(**official.seanet_arguments(arguments, decoder=False))
    decoder = SeanetDecoder(**official.seanet_arguments(arguments, decoder=True))
    sound, latents = torch.randn(1, 1, 50), torch.randn(1, 16, 20)
    up = decoder.net[3]
    for layer, x, plain in (
        (encoder.net[0], sound, encoder.net[0].conv(torch.nn.functional.pad(sound, (3, 3), "reflect"))),
        (up, latents, up.conv(latents)),
    ):
        expected = (plain - plain.mean()) / (plain.var(correction=0) + eps).sqrt()
        made = layer(x)
        start = (expected.shape[-1] - made.shape[-1] + 1) // 2
        torch.testing.assert_close(made, expected[..., start : start + made.shape[-1]])
        assert bool(list(layer.norm.parameters())) == affine
    with pytest.raises(WeightsError, match="momentum"):
        official.seanet_arguments({**arguments, "norm_params": {"momentum": 1}}, decoder=False)


def test_a_norm_that_encodec_names_but_does_not_make_is_none():
    arguments = {**SIZES, "norm": "time_layer_norm"}
    assert official.seanet_arguments(arguments, decoder=False)["norm"] == "none"
    assert official.seanet_arguments(arguments, decoder=False, package="audiocraft")["norm"] == "time_layer_norm"


def test_encodec_has_eight_books_by_default_and_codes_with_all_of_them():
    arguments = {
        "encoder and decoder": SIZES, "quantizer": {"bins": 16}, "sample_rate": 600, "target_bandwidths": [0.4, 0.8]
    }  # fmt: skip
    assert official.encodec_arguments(arguments)["books"] == 8
    assert official.encodec_arguments({**arguments, "quantizer": {"bins": 16, "n_q": 3}})["books"] == 3
    networks = [
        make(**official.seanet_arguments(SIZES, decoder=decoder))
        for make, decoder in ((SeanetEncoder, False), (SeanetDecoder, True))
    ]
    codec = Encodec(encoder=networks[0], decoder=networks[1], **official.encodec_arguments(arguments)).eval()
    for book in codec.quantizer.books:
        book.started.fill_(1.0)
    sound = torch.randn(1, 1, 60)
    assert codec.segments(sound)[0][0].shape == (1, 8, 10)
    codec.bandwidth = 0.8
    assert codec.segments(sound)[0][0].shape == (1, 2, 10)


def test_arguments_that_xcodec_leaves_out():
    ours = official.xcodec_arguments({})
    assert (ours["latent"], ours["bandwidths"], ours["books"]) == (128, (1.0, 1.5, 2.0, 4.0, 6.0), 12)
    ours = official.xcodec_arguments({"D": 256, "target_bandwidths": [0.5, 4]})
    assert (ours["latent"], ours["bandwidths"], ours["books"]) == (256, (0.5, 4.0), 8)


@pytest.mark.parametrize(("given", "start"), [(None, 0.25), (0, 0.25), (0.0, 0.25), (1, 1.0), (0.1, 0.1)])
def test_scales_of_vocos_begin_where_the_published_ones_do(given, start):
    backbone = {"input_channels": 5, "dim": 8, "intermediate_dim": 12, "num_layers": 4, "layer_scale_init_value": given}
    model = Vocos(**official.vocos_arguments(backbone, {"n_fft": 16, "hop_length": 4}))
    for block in model.backbone.blocks:
        assert torch.equal(block.scale, torch.full((8,), start))


def test_the_decoder_of_oobleck_has_its_own_arguments():
    encoder = {"in_channels": 1, "channels": 4, "c_mults": [1, 2], "strides": [2, 3], "latent_dim": 6}
    decoder = {"channels": 6, "c_mults": [2, 3], "strides": [2, 3], "latent_dim": 3, "use_snake": True}
    model = Oobleck(**official.oobleck_arguments(encoder, decoder))
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    weight = "parametrizations.weight.original1"
    assert shapes[f"encoder.net.0.{weight}"] == (4, 1, 7)
    assert shapes[f"encoder.net.2.4.{weight}"] == (8, 4, 6)
    assert shapes[f"decoder.net.0.{weight}"] == (18, 3, 7)
    assert shapes[f"decoder.net.1.1.{weight}"] == (18, 12, 6)
    assert shapes[f"decoder.net.2.1.{weight}"] == (12, 6, 4)
    assert shapes[f"decoder.net.4.{weight}"] == (2, 6, 7)
    assert {name.split(".")[0] for name in shapes if name.endswith(".beta")} == {"decoder"}
    assert model.wave_of(model.frames_of(torch.randn(3, 1, 12))).shape == (3, 2, 10)
    with pytest.raises(WeightsError, match="mirror"):
        official.oobleck_arguments({**encoder, "strides": [3, 2]}, decoder)
