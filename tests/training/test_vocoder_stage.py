"""A vocoder learns against its discriminators, is folded at the end, and goes on where it was stopped."""

import itertools

import numpy as np
import pytest
import torch

from orchestrion.analysis.spectra import MelSpectrogram
from orchestrion.codecs.vocoders import HiFiGan
from orchestrion.nn.vocoder_discriminators import FoldedScore, PooledScore, hifigan_discriminator
from orchestrion.training.trainer import Trainer
from orchestrion.training.vocoder_stage import fold_into, vocoder_stage, weight_normed

MEL = MelSpectrogram(sample_rate=8000, n_fft=128, hop_length=16, n_mels=16, power=1, compression="log", floor=1e-5)
STEPS = 24


def waves(step, share=None):
    rng = np.random.default_rng(step % 3)
    time = np.arange(512) / 8000
    pitch = rng.uniform(200, 800, (4, 1))
    made = torch.from_numpy(0.4 * np.sin(2 * np.pi * pitch * time)).float()
    return made if share is None else made[share.part :: share.parts]


class Player(torch.nn.Module):
    """A system of which the vocoder is a part."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.vocoder = HiFiGan(
            n_mels=16, channels=32, rates=(4, 4), kernels=(8, 8), residual_kernels=(3,), dilations=((1, 3),)
        )


def stage_of(model, steps=STEPS, data=waves):
    torch.manual_seed(1)
    return vocoder_stage(
        model.vocoder,
        hifigan_discriminator(periods=(2, 3), widths=(4, 8), scales=2, scale_width=16),
        pictures=lambda x: MEL(x)[..., : x.shape[1] // 16],
        data=data,
        held_out=lambda: waves(0),
        steps=steps,
        learning_rate=2e-3,
        epoch=10,
    )


def test_losses_fall_and_the_result_is_folded_into_the_vocoder(tmp_path):
    model = Player()
    before = {key: value.clone() for key, value in model.vocoder.state_dict().items()}
    stage = stage_of(model)
    first = dict(stage.validate())
    Trainer(model, [stage], folder=tmp_path, tensorboard=False).run()
    assert stage.validate()["mel"] < 0.7 * first["mel"]
    assert all((value != before[key]).any() for key, value in model.vocoder.state_dict().items())
    x = MEL(waves(0))
    with torch.no_grad():
        torch.testing.assert_close(model.vocoder(x), stage.helpers["split vocoder"].eval()(x), atol=1e-6, rtol=1e-5)


def test_a_stopped_training_goes_on_exactly(tmp_path):
    def run(folder, stop=None):
        model = Player()

        def data(step, share):
            if step == stop:
                raise KeyboardInterrupt
            return waves(step, share)

        stage = stage_of(model, 6, data)
        stage.validate = None
        Trainer(model, [stage], folder=folder, checkpoint_seconds=0, tensorboard=False).run()
        return model

    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", 4)
    again = run(tmp_path / "stopped")
    assert (tmp_path / "stopped/log.jsonl").read_bytes() == (tmp_path / "whole/log.jsonl").read_bytes()
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in whole.state_dict().items())


def test_losses_are_those_of_the_paper():
    model = Player()
    stage = stage_of(model)
    judge, play = (objective.loss for objective in stage.objectives)
    x = waves(0)
    made = stage.shared(x)
    discriminator = stage.helpers["vocoder discriminator"].eval()
    real, fake = discriminator(x[:, None]), discriminator(made[:, None])
    wanted = sum((1 - r[-1]).square().mean() + f[-1].square().mean() for r, f in zip(real, fake, strict=True))
    torch.testing.assert_close(judge(x, made).value, wanted)
    matching = sum((a - b).abs().mean() for r, f in zip(real, fake, strict=True) for a, b in zip(r, f, strict=True))
    distance = (MEL(x)[..., :32] - MEL(made)[..., :32]).abs().mean()
    wanted = sum((1 - f[-1]).square().mean() for f in fake) + 2 * matching + 45 * distance
    torch.testing.assert_close(play(x, made).value, wanted)


def test_splitting_changes_nothing():
    vocoder = Player().vocoder
    split = weight_normed(vocoder)
    x = torch.randn(1, 16, 9)
    torch.testing.assert_close(split(x), vocoder(x))
    other = Player().vocoder
    with torch.no_grad():
        other.first.weight.zero_()
    fold_into(split, other)
    torch.testing.assert_close(other(x), vocoder(x))


def test_discriminators_have_the_published_sizes():
    def count(module):
        return sum(parameter.numel() for parameter in module.parameters())

    # Weights, biases and, with weight norm, lengths; written out from the paper's appendix and the published shapes.
    widths = (1, 32, 128, 512, 1024, 1024)
    folded = sum(5 * a * b + 2 * b for a, b in itertools.pairwise(widths)) + 3 * 1024 + 2
    pooled = 15 * 128 + 41 * (32 * 128 + 8 * 256 + 16 * 512 + 32 * 1024 + 64 * 1024) + 5 * 1024 * 1024 + 3 * 1024
    outputs = 128 + 128 + 256 + 512 + 1024 + 1024 + 1024 + 1
    with torch.device("meta"):
        assert count(FoldedScore(3)) == folded
        assert count(hifigan_discriminator()) == 5 * folded + 3 * (pooled + outputs) + 2 * outputs == 70_724_591
    # Features after the activation, the score last; a wave that fills its rows is not padded.
    features = FoldedScore(3, widths=(4, 8))(torch.randn(2, 1, 12))
    assert [tuple(layer.shape) for layer in features] == [(2, 4, 2, 3), (2, 8, 2, 3), (2, 1, 2, 3)]
    assert (features[0] < 0).any()
    assert PooledScore(1, width=16)(torch.randn(1, 1, 256))[0].shape[-1] == 129
