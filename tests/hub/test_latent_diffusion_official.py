"""Published arguments of latent diffusion in ours: what is left out, what has no effect, what is refused."""

import pytest
import torch

from orchestrion.codecs.mel_vae import MelVae
from orchestrion.errors import WeightsError
from orchestrion.hub.official import latent_diffusion
from orchestrion.hub.official.hifigan import hifigan_arguments

UNET = {
    "in_channels": 4, "out_channels": 4, "model_channels": 32, "num_res_blocks": 1, "attention_resolutions": (2,),
    "channel_mult": (1, 2), "num_heads": 4,
}  # fmt: skip
VAE = {
    "z_channels": 4, "resolution": 64, "in_channels": 1, "out_ch": 1, "ch": 32, "ch_mult": (1, 2, 2),
    "num_res_blocks": 1, "attn_resolutions": (),
}  # fmt: skip


def without(arguments, name):
    return {key: value for key, value in arguments.items() if key != name}


def test_levels_left_out_are_the_published_ones():
    assert latent_diffusion.unet_arguments(without(UNET, "channel_mult"))["channels"] == (32, 64, 128, 256)
    ours = latent_diffusion.hub_unet_arguments({})
    assert ours["channels"] == (320, 640, 1280, 1280) and ours["attention_levels"] == (0, 1, 2)
    one = torch.zeros(1)
    named = latent_diffusion.convert_unet({"up_blocks.0.resnets.0.norm1.weight": one}, {})
    assert list(named) == ["up.0.0.block.norm_in.weight"]
    for official, key, place in (
        (without(VAE, "ch_mult"), "decoder.up.3.block.0.norm1.weight", "decoder.levels.0.blocks.0.norm_in.weight"),
        ({}, "decoder.up_blocks.0.resnets.0.norm1.weight", "decoder.levels.0.blocks.0.norm_in.weight"),
    ):
        assert list(latent_diffusion.convert_vae({key: one}, official)) == [place]


def test_heads_of_the_way_up_have_an_effect_in_legacy_mode_alone():
    packed = torch.arange(96.0)[:, None]
    key = "output_blocks.0.1.qkv.weight"
    state = {key: packed, "output_blocks.0.1.proj_out.weight": torch.zeros(1)}

    def unpacked(**more):
        return latent_diffusion.convert_unet(state, {**UNET, **more})["up.0.0.attention.0.to_qkv.weight"][:, 0].tolist()

    four, two = list(range(8)) + list(range(24, 32)), list(range(16)) + list(range(48, 64))
    for more, heads, start in (
        ({"legacy": True}, (2, 2), two),
        ({"legacy": False}, None, four),
        ({"num_head_channels": 8}, None, four),
    ):
        more = {"num_heads_upsample": 2, **more}
        assert latent_diffusion.unet_arguments({**UNET, **more})["up_heads"] == heads
        assert unpacked(**more)[: len(start)] == start


def test_what_has_no_effect_in_a_published_vocoder():
    plain = {
        "num_mels": 8, "upsample_rates": (2, 2), "upsample_kernel_sizes": (4, 4), "resblock_kernel_sizes": (3,),
        "resblock_dilation_sizes": ((1, 3, 5),),
    }  # fmt: skip
    wanted = hifigan_arguments(plain)
    assert (wanted["slope"], wanted["normalize"], wanted["dilations"]) == (0.1, False, ((1, 3, 5),))
    for more in (
        {"resblock": "2"},
        {"leaky_relu_slope": 0.3},
        {"normalize_before": True},
        {"resblock_dilation_sizes": ((1, 3, 5, 7),)},
        {"resblock_dilation_sizes": ((1, 3, 5),) * 3},
        {"upsample_kernel_sizes": (4, 4, 6)},
    ):
        assert hifigan_arguments({**plain, **more}) == wanted


def test_the_vocoder_of_transformers_normalises_unless_told_otherwise():
    assert hifigan_arguments({"upsample_initial_channel": 16})["normalize"]
    assert not hifigan_arguments({"normalize_before": False})["normalize"]
    found = hifigan_arguments({"leaky_relu_slope": 0.2, "resblock_dilation_sizes": ((1, 2, 3, 4),) * 3})
    assert (found["n_mels"], found["slope"], found["dilations"][0]) == (80, 0.2, (1, 2, 3, 4))


def small_vae(**more):
    return MelVae(**latent_diffusion.vae_arguments({**VAE, **more})).eval()


def test_pictures_of_odd_lengths_are_rounded_down():
    torch.manual_seed(0)
    vae, mel = small_vae(), torch.randn(1, 1, 37, 34)
    mean = vae.encode(mel).mean
    assert mean.shape == (1, 4, 9, 8) and vae.decode(mean).shape == (1, 1, 36, 32)
    # A frame that is left over at the end is seen by its neighbour alone.
    shrink = vae.encoder.levels[0].change
    x = torch.randn(1, 32, 5, 4)
    torch.testing.assert_close(shrink(x), shrink(torch.nn.functional.pad(x, (0, 0, 0, 1)))[:, :, :2])
    with pytest.raises(ValueError, match="at least 4 and 4"):
        vae.encode(mel[:, :, :3])


def test_a_long_last_level_has_no_effect():
    assert small_vae(downsample_time_stride4_levels=[2]).time_reduction == 4
    long = small_vae(downsample_time_stride4_levels=[0, 2])
    assert long.time_reduction == 8
    assert [long.encode(torch.zeros(1, 1, n, 32)).mean.shape[2] for n in (32, 36)] == [4, 4]


def test_classes_and_vectors_of_diffusers_have_one_name():
    for official, place in (
        ({"num_class_embeds": 5}, "classes.weight"),
        ({"class_embed_type": "simple_projection", "num_class_embeds": 5}, "condition.weight"),
    ):
        assert list(latent_diffusion.convert_unet({"class_embedding.weight": torch.zeros(1)}, official)) == [place]
        classes = latent_diffusion.hub_unet_arguments(official)["num_classes"]
        assert classes == (5 if place == "classes.weight" else None)


@pytest.mark.parametrize("read", [latent_diffusion.hub_unet_arguments, latent_diffusion.hub_vae_arguments])
def test_silu_is_also_called_swish(read):
    assert read({"act_fn": "swish"}) == read({})
    with pytest.raises(WeightsError, match="activation 'mish'"):
        read({"act_fn": "mish"})
