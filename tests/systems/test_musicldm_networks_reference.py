"""Parity of U-Net, autoencoder and vocoder with the published ones, in both layouts, for every case that is there."""

import json
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
import musicldm_cases as reference

from orchestrion.nn.unet import Conditions

PUBLISHED = {
    "UNetModel": {"extra_film_condition_dim": 512, "model_channels": 128, "num_res_blocks": 2},
    "UNet2DConditionModel": {
        "block_out_channels": [128, 256, 384, 640],
        "cross_attention_dim": [128, 256, 384, 640],
        "layers_per_block": 2,
        "projection_class_embeddings_input_dim": 512,
    },
    "Generator": {"upsample_initial_channel": 1024},
}


def each(kind):
    return pytest.mark.parametrize(
        "folder", reference.cases(kind), ids=lambda folder: f"{folder.parent.name}-{folder.name}"
    )


def close(ours, published, tolerance):
    torch.testing.assert_close(ours, published, rtol=tolerance, atol=tolerance)


@pytest.fixture(params=[False, True], ids=["no_grad", "grad"])
def gradients(request):
    """Without gradients, shortcuts are taken: both ways must agree."""
    with torch.set_grad_enabled(request.param):
        yield request.param


@each("unet")
def test_unet(folder, gradients):
    data, tolerance = reference.data(folder), reference.tolerance(folder)
    x, t, y = data["x"], data["t"], data["y"]
    if "out" in data:
        model = reference.network(folder)
        conditions = Conditions(vector=y)
        embedded = model.embed(t, conditions)
        if "time_emb" in data:
            time = model.time(torch.nn.functional.pad(_sinusoid(t, model.width), (0, 0)))
            close(time.detach(), data["time_emb"], tolerance)
        if "middle" in data:
            h, _ = model.encode(x, embedded, conditions)
            close(
                model.middle_block(model.middle(h, embedded, conditions), embedded).detach(), data["middle"], tolerance
            )
        close(model(x, t, y).detach(), data["out"], tolerance)
    else:
        official = reference.about(folder)["arguments"]
        close(reference.network(folder)(x, t, y).detach(), data["out_8_heads"], tolerance)
        channels = official["block_out_channels"]
        wide = {**official, "attention_head_dim": [count // 32 for count in channels]}
        close(reference.network(folder, wide)(x, t, y).detach(), data["out_width_32"], tolerance)


def _sinusoid(t, width):
    from orchestrion.nn.unet import time_embedding

    return time_embedding(t, width)


@each("vae")
def test_vae(folder, gradients):
    model, data, tolerance = reference.network(folder), reference.data(folder), reference.tolerance(folder)
    if "encoder_out" in data:
        close(model.encoder(data["mel"]).detach(), data["encoder_out"], tolerance)
    posterior = model.encode(data["mel"])
    mean, log_variance = data["moments"].chunk(2, 1)
    close(posterior.mean.detach(), mean, tolerance)
    close(posterior.log_variance.detach(), log_variance.clamp(-30, 20), tolerance)
    if "z" in data:
        z = posterior.mean + (0.5 * posterior.log_variance).exp() * data["noise"]
        close(z.detach(), data["z"], tolerance)
        close(posterior.kl().detach(), data["kl"].mean(), tolerance)
        close(model.decode(data["z"]).detach(), data["mel_out"], tolerance)
        expected = (
            reference.about(folder)
            .get("facts", {})
            .get("scale_factor of this z by the code (1 / unbiased std over all elements)")
        )
        if expected is not None:
            assert float(1 / data["z"].std()) == pytest.approx(expected, rel=1e-5)
    else:
        close(model.decode(mean).detach(), data["mel_out"], tolerance)


@each("vocoder")
def test_vocoder(folder, gradients):
    model, data, tolerance = reference.network(folder), reference.data(folder), reference.tolerance(folder)
    if "post" in data:
        close(model.raw(data["mel"]).detach(), data["post"][:, 0], tolerance)
        close(model(data["mel"]).detach(), data["wave"][:, 0], tolerance)
    else:
        close(model(data["mel"].mT).detach(), data["wave"], tolerance)


@pytest.mark.parametrize(
    "folder",
    [f for kind in ("unet", "vae", "vocoder") for f in reference.cases(kind) if (f / "paper_keys.json").exists()],
    ids=lambda folder: f"{folder.parent.name}-{folder.name}",
)
def test_every_published_key_has_its_place_at_full_size(folder):
    keys = json.loads((folder / "paper_keys.json").read_text())
    official = dict(reference.about(folder)["arguments"])
    official.update(PUBLISHED.get(reference.about(folder)["class"], {}))
    if "ddconfig" in official:
        official["ddconfig"] = {**official["ddconfig"], "ch": 128}
    with torch.device("meta"):
        model, convert = reference.build(folder, official)
        ours = convert({key: torch.empty(shape) for key, shape in keys.items() if not key.startswith("_")})
    assert sum(p.numel() for p in model.parameters()) == keys["_parameters"]
    assert {key: tuple(value.shape) for key, value in ours.items()} == {
        key: tuple(value.shape) for key, value in model.state_dict().items()
    }
