"""Whole checkpoints of MusicLDM in both layouts: every entry has its place, averaged weights, CLAP's names."""

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parents[1]))
import musicldm_cases as reference

from orchestrion.errors import WeightsError
from orchestrion.hub.official import musicldm as official
from orchestrion.hub.official.clap import convert_clap
from orchestrion.nn.clap import Clap
from orchestrion.systems.musicldm import MusicLDM


def case(kind, *, hub):
    return next(folder for folder in reference.cases(kind) if reference.is_hub(folder) == hub)


def laion(clap):
    """A CLAP's weights in the names of LAION's files, with the entries that are not used."""
    names = {
        "batch_norm.": "bn0.", "layernorm_before": "norm1", "layernorm_after": "norm2",
        "attention.output.dense": "attn.proj", "intermediate.dense": "mlp.fc1", "output.dense": "mlp.fc2",
        "attention.self.relative": "attn.relative",
    }  # fmt: skip
    state, thirds = {}, {}
    for key, value in clap.model.state_dict().items():
        if key.startswith("audio_model.audio_encoder."):
            name = "audio_branch." + key.removeprefix("audio_model.audio_encoder.")
            for old, new in names.items():
                name = name.replace(old, new)
            for place, part in enumerate(("query", "key", "value")):
                if f"attention.self.{part}." in name:
                    thirds.setdefault(name.replace(f"attention.self.{part}", "attn.qkv"), {})[place] = value
                    name = ""
            if name:
                state[name] = value
        elif ".linear" in key:
            state[key.replace("linear1", "0").replace("linear2", "2")] = value
        else:
            state[key.replace("text_model.", "text_branch.", 1)] = value
    state |= {name: torch.cat([parts[0], parts[1], parts[2]]) for name, parts in thirds.items()}
    state |= {"audio_branch.head.weight": torch.ones(2, 2), "text_transform.sequential.0.weight": torch.ones(2)}
    return {f"module.{key}": value for key, value in state.items()}


@pytest.fixture(scope="module")
def clap():
    torch.manual_seed(0)
    return Clap(dim=24, audio_width=16, depths=(1, 1), heads=(2, 2), text_width=16, text_layers=1, text_heads=2).eval()


def test_clap_of_laion_gives_the_same_vectors(clap):
    torch.manual_seed(1)
    other = Clap(dim=24, audio_width=16, depths=(1, 1), heads=(2, 2), text_width=16, text_layers=1, text_heads=2).eval()
    other.model.load_state_dict(convert_clap(laion(clap)))
    tokens, mask = torch.randint(4, 100, (2, 6)), torch.ones(2, 6, dtype=torch.long)
    torch.testing.assert_close(other.embed_tokens(tokens, mask), clap.embed_tokens(tokens, mask))
    wave = torch.randn(2, 20000)
    found = clap.embed_audio(wave, 16000)
    torch.testing.assert_close(other.embed_audio(wave, 16000), found)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))
    mask[0, 3:] = 0  # what is padded has no effect
    cut = clap.embed_tokens(tokens[:1, :3], mask[:1, :3])
    torch.testing.assert_close(clap.embed_tokens(tokens, mask)[:1], cut, atol=1e-5, rtol=1e-4)
    with pytest.raises(WeightsError, match="belongs to no published CLAP"):
        convert_clap({"strange": torch.zeros(1)})


def authors_state(clap):
    """The authors' one file at the sizes of the reference cases, and its raw and averaged U-Net."""
    unet = reference.weights(case("unet", hub=False))
    averaged = {key: value + 0.5 for key, value in unet.items()}
    state = {f"model.diffusion_model.{key}": value for key, value in unet.items()}
    state |= {"model_ema." + f"diffusion_model.{key}".replace(".", ""): value for key, value in averaged.items()}
    state |= {f"first_stage_model.{key}": value for key, value in reference.weights(case("vae", hub=False)).items()}
    vocoder = reference.weights(case("vocoder", hub=False))
    state |= {f"first_stage_model.vocoder.{key}": value for key, value in vocoder.items()}
    state |= {f"cond_stage_model.model.{key.removeprefix('module.')}": value for key, value in laion(clap).items()}
    state |= {"betas": torch.zeros(3), "model_ema.decay": torch.zeros(()), "scale_factor": torch.tensor([0.9])}
    return state, unet, averaged


def sizes(*, hub):
    given = {kind: dict(reference.about(case(kind, hub=hub))["arguments"]) for kind in ("unet", "vae", "vocoder")}
    names = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL", "vocoder": "SpeechT5HifiGan"}
    if not hub:
        names = {"unet": "UNetModel", "vae": "AutoencoderKL", "vocoder": "Generator"}
    return {names[kind]: value for kind, value in given.items()}


def load_into_system(ours, given, clap):
    model = MusicLDM(**{**official.arguments(given), "clap": "none"})
    model.clap = clap
    model.load_state_dict(ours)
    return model.eval()


@pytest.mark.parametrize("use_ema", [True, False])
def test_the_authors_file(clap, use_ema):
    state, raw, averaged = authors_state(clap)
    ours = official.convert(state, use_ema=use_ema, official=sizes(hub=False))
    model = load_into_system(ours, sizes(hub=False), clap)
    wanted = averaged if use_ema else raw
    torch.testing.assert_close(model.unet.first.weight, wanted["input_blocks.0.0.weight"])
    assert float(model.scale_factor) == pytest.approx(0.9) and model.quirks == "official"
    mel = torch.randn(1, 1, 32, 64)
    folder = case("vae", hub=False)
    torch.testing.assert_close(model.vae.encode(mel).mean, reference.network(folder).encode(mel).mean)
    with pytest.raises(WeightsError, match="belongs to no published MusicLDM"):
        official.convert({**state, "strange": torch.zeros(1)}, official=sizes(hub=False))


def test_the_folder_of_the_hub(clap, tmp_path):
    configs = sizes(hub=True)
    for part, name in zip(("unet", "vae", "vocoder"), configs, strict=True):
        (tmp_path / part).mkdir()
        (tmp_path / part / "config.json").write_text(json.dumps(configs[name]))
        state = {key: value.contiguous() for key, value in reference.weights(case(part, hub=True)).items()}
        save_file(state, tmp_path / part / "model.safetensors")
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(WeightsError, match="lacks weights or config"):
        official.read(tmp_path / "model_index.json")
    (tmp_path / "text_encoder").mkdir()
    (tmp_path / "text_encoder" / "config.json").write_text("{}")
    save_file(
        {key: value.clone() for key, value in clap.model.state_dict().items()}, tmp_path / "text_encoder/m.safetensors"
    )
    ours = official.read(tmp_path / "model_index.json")
    model = load_into_system(ours, configs, clap)
    assert model.quirks == "diffusers" and float(model.scale_factor) == pytest.approx(0.9)
    data = reference.data(case("unet", hub=True))
    with torch.no_grad():
        made = model.unet(data["x"], data["t"], data["y"])
    torch.testing.assert_close(made, data["out_8_heads"], atol=1e-4, rtol=1e-4)


def test_arguments_are_the_published_ones():
    with torch.device("meta"):
        paper = MusicLDM(**official.arguments({}), clap="none")
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in paper.codec.named_children()}
    assert sum(p.numel() for p in paper.unet.parameters()) == 185_036_552
    assert (counts["vae"], counts["vocoder"]) == (55_376_873, 55_264_897)
    spelled = official.arguments({"UNetModel": official.UNET})
    assert all(tuple(MusicLDM.__init__.__wrapped__.__kwdefaults__[name]) == value for name, value in spelled.items()
               if isinstance(value, tuple))  # fmt: skip


@pytest.mark.parametrize(
    ("part", "more", "words"),
    [
        ("UNetModel", {"use_scale_shift_norm": True}, "scale_shift = True"),
        ("UNetModel", {"transformer_depth": 2}, "depth = 2"),
        ("UNetModel", {"extra_film_use_concat": False}, "condition_by = 'addition'"),
        ("UNetModel", {"conv_resample": False}, "resample = 'plain'"),
        ("UNetModel", {"in_channels": 4}, "latents have 8 channels"),
        ("UNetModel", {"extra_film_condition_dim": None}, "takes a vector"),
        ("UNetModel", {"num_head_channels": 48, "legacy": False}, "do not have one width"),
        ("UNetModel", {"num_head_channels": 1024}, "do not fit into channels"),
        ("AutoencoderKL", {"embed_dim": 5}, "latents have 8 channels"),
        ("AutoencoderKL", {"ddconfig": {**official.VAE["ddconfig"], "tanh_out": True}}, "bounded = True"),
        ("AutoencoderKL", {"ddconfig": {**official.VAE["ddconfig"], "attn_resolutions": (64,)}}, "attention_levels"),
        ("Generator", {"resblock_kernel_sizes": (3, 5), "resblock_dilation_sizes": ((1, 3, 5),) * 2}, "residual_ker"),
        ("Generator", {"resblock_dilation_sizes": ((1, 2, 3),) * 3}, "dilations"),
    ],
)
def test_what_the_system_has_no_argument_for_is_refused(part, more, words):
    published = {"UNetModel": official.UNET, "AutoencoderKL": official.VAE, "Generator": official.VOCODER}[part]
    with pytest.raises(WeightsError, match=words):
        official.arguments({part: {**published, **more}})


def test_heads_wider_than_a_level_that_does_not_attend():
    found = official.arguments({"UNetModel": {**official.UNET, "model_channels": 32, "num_head_channels": 64}})
    assert (found["head_width"], found["unet_channels"], found["attention_levels"]) == (
        64,
        (32, 64, 96, 160),
        (1, 2, 3),
    )


def test_a_file_that_is_no_checkpoint(tmp_path):
    (tmp_path / "x.ckpt").write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsError, match="cannot be read safely"):
        official.read(tmp_path / "x.ckpt")
