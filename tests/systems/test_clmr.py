"""CLMR: what conditions the loss, how it trains, and embeddings of every kind of sound."""

import inspect
import math

import numpy as np
import pytest
import torch

from orchestrion.data.augment.chain import Chain
from orchestrion.data.piece import Piece
from orchestrion.data.song_crops import HeldClip, SongCrops
from orchestrion.errors import InputError, OptionError
from orchestrion.media.audio import Audio
from orchestrion.systems.clmr import CLMR
from orchestrion.training.lars import Lars
from orchestrion.training.stage import Share
from orchestrion.training.trainer import Trainer

TINY = {"rate": 8000, "strides": (3,) * 4, "channels": (4, 6, 8, 8, 8, 8), "projection": 4}  # windows of 243


def tiny(**changes):
    torch.manual_seed(0)
    return CLMR(**{**TINY, **changes})


def sounds(songs=6, seconds=0.5):
    """Songs that differ in pitch."""
    time = np.arange(int(seconds * 8000)) / 8000
    waves = [np.sin(2 * np.pi * 200 * 1.3**n * time) for n in range(songs)]
    return SongCrops([[HeldClip((wave * 20000).astype(np.int16))] for wave in waves], window=243)


def noise(seconds, rate=8000, channels=1):
    rng = np.random.default_rng(0)
    return Audio(0.2 * rng.standard_normal((channels, int(seconds * rate))).astype(np.float32), rate)


def test_presets_have_the_published_sizes():
    with torch.device("meta"):
        counts = {name: CLMR.from_preset(name).parameter_count for name in CLMR.presets}
        encoder = sum(p.numel() for p in CLMR.from_preset("paper").encoder.parameters())
    assert encoder == 2_368_512
    assert counts["v2"] == 2_663_424 and counts["paper"] == 2_663_424 + 64 * 512
    assert counts["mini"] == 689_952 + 256 * 256 + 256 * 64
    windows = {}
    for name in CLMR.presets:
        with torch.device("meta"):
            model = CLMR.from_preset(name)
        windows[name] = (model.window, model.rate)
    assert windows["paper"] == (59049, 22050) and windows["mini"] == (19683, 16000)


def test_first_weights_of_the_paper_are_kaiming():
    weight = CLMR.from_preset("paper").encoder.blocks[5].conv.weight
    assert weight.abs().max().item() == pytest.approx(math.sqrt(6 / (256 * 3)), rel=1e-2)
    assert CLMR.from_preset("v2").encoder.blocks[5].conv.weight.abs().max() < math.sqrt(1.01 / (256 * 3))


def test_loss():
    model = tiny().eval()
    first, second = torch.randn(2, 5, 1, 243).unbind()
    with torch.no_grad():
        value = model.loss(first, second).value
        one, two = model.project(first), model.project(second)
        z = torch.nn.functional.normalize(torch.cat([one, two]), dim=-1)
        logits = z @ z.T / 0.5
        total = 0.0
        for i in range(10):
            others = [logits[i, k] for k in range(10) if k != i]
            total += torch.logsumexp(torch.stack(others), 0) - logits[i, (i + 5) % 10]
        torch.testing.assert_close(value, total / 10)
        assert model.loss(first, first).value < value
        model.temperature = 0.1
        assert model.loss(first, second).value != value
        same = first[:1].expand(5, -1, -1)
        assert model.loss(same, same).value.item() == pytest.approx(math.log(2 * 5 - 1), abs=1e-4)
        assert model.loss(first, second).weight == 5


def test_projections_of_length_1():
    plain, model = tiny().eval(), tiny(normalise=True).eval()
    first, second = torch.randn(2, 5, 1, 243).unbind()
    with torch.no_grad():
        z, expected = model.project(first), plain.project(first)
        torch.testing.assert_close(z.norm(dim=1), torch.ones(5))
        torch.testing.assert_close(z * expected.norm(dim=1, keepdim=True), expected)
        torch.testing.assert_close(model.loss(first, second).value, plain.loss(first, second).value)
    assert (model.represent(first[:, 0].numpy()) == plain.represent(first[:, 0].numpy())).all()
    assert CLMR.presets["paper"]["normalise"] and "normalise" not in CLMR.presets["v2"]


def test_the_projector_does_not_change_features():
    model = tiny()
    before = model.embed(noise(0.5)).vectors
    torch.nn.init.normal_(model.projector.layers[0].weight)
    assert (model.embed(noise(0.5)).vectors == before).all()
    with torch.no_grad():
        model.encoder.blocks[1].conv.bias.add_(1)  # the folded network must see this
    assert (model.embed(noise(0.5)).vectors != before).any()


def test_views():
    model, songs = tiny(), sounds()
    torch.manual_seed(1)
    first, second = model.views(songs, [0, 3, 4], model.chain())
    assert first.shape == second.shape == (3, 1, 243) and first.dtype == torch.float32
    assert not torch.equal(first, second)
    torch.manual_seed(1)
    again = model.views(songs, [0, 3, 4], model.chain())
    assert torch.equal(again[0], first) and torch.equal(again[1], second)
    torch.manual_seed(2)
    assert not torch.equal(model.views(songs, [0, 3, 4], model.chain())[0], first)
    torch.manual_seed(1)
    plain, _ = model.views(songs, [0, 3, 4], Chain([]))
    assert not torch.equal(plain, first)
    found = [float(np.abs(np.fft.rfft(view[0].numpy())).argmax()) for view in plain]
    assert found[0] < found[1] < found[2]  # rows are the songs that were asked for


def test_songs_by_grouping():
    rng = np.random.default_rng(0)
    pieces = [
        Piece(name, audio=Audio(0.1 * rng.standard_normal((1, 4000)).astype(np.float32), 8000))
        for name in ("a#0", "a#1", "b#0", "band-7-title-0-29.mp3", "band-7-title-29-58.mp3")
    ]
    assert len(tiny().songs(pieces)) == 3
    assert tiny().songs(pieces).length(0) == 8000
    assert len(tiny(by_song=False).songs(pieces)) == 5


def test_batches_show_every_song_once_an_epoch():
    model = tiny(batch_size=2)
    pair = (torch.zeros(1), torch.zeros(1))
    seen = []
    model.views = lambda songs, chosen, chain: seen.extend(chosen) or pair
    stage = model.contrastive_stage(sounds(6))
    for step in range(6):
        stage.data(step, Share())
    assert sorted(seen[:6]) == sorted(seen[6:]) == list(range(6)) and seen[:6] != seen[6:]
    part = []
    model.views = lambda songs, chosen, chain: part.append(list(chosen)) or pair
    stage.data(0, Share(0, 2))
    stage.data(0, Share(1, 2))
    assert sorted(part[0] + part[1]) == sorted(seen[:2])
    assert tiny(batch_size=2, epochs=7).contrastive_stage(sounds(7)).steps == 7 * 3  # the last batch is dropped


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_learns_and_figures_of_views_get_better(tmp_path, precision):
    model = tiny(batch_size=6, training_steps=60, learning_rate=3e-3, channels_last=True, precision=precision)
    stage = model.contrastive_stage(sounds(), sounds(), chain=Chain([]))
    torch.manual_seed(0)
    before = model.eval().loss(*model.views(sounds(), range(6), Chain([]))).value.item()
    found = Trainer(model, [stage], folder=tmp_path, tensorboard=False, progress=lambda done, total: None).run()
    torch.manual_seed(0)
    after = model.loss(*model.views(sounds(), range(6), Chain([]))).value.item()
    assert after < before - 0.3
    assert found["contrastive"]["validation found"] > 0.5
    assert {"validation alignment", "validation uniformity"} <= set(found["contrastive"])


def test_optimisers():
    weight = [torch.nn.Parameter(torch.ones(2, 2))]
    stage = tiny().contrastive_stage(sounds())
    adam = stage.objectives[0].optimiser(weight)
    assert isinstance(adam, torch.optim.Adam) and adam.param_groups[0]["lr"] == 3e-4
    assert adam.param_groups[0]["weight_decay"] == 0
    assert {stage.objectives[0].schedule(step) for step in (0, 5, 10**6)} == {1.0}
    for version, rate, at_first in (("v1", 0.075 * 48**0.5, 1 / 30), ("v2", 0.3 * 48 / 256, 1.0)):
        stage = tiny(optimiser="lars", version=version, epochs=100, quirks="official").contrastive_stage(sounds())
        lars = stage.objectives[0].optimiser(weight)
        assert isinstance(lars, Lars) and lars.quirks == "official"
        assert lars.param_groups[0]["lr"] == pytest.approx(rate)
        assert stage.objectives[0].schedule(0) == pytest.approx(at_first, rel=1e-3)
        assert stage.objectives[0].schedule(99) < 0.01


def test_supervised_baseline_learns(tmp_path):
    labels = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0, 1]], np.float32)
    model = tiny(projection=None, tags=2, batch_size=6, training_steps=80, learning_rate=3e-3)
    stage = model.supervised_stage(sounds(), labels)
    found = Trainer(model, [stage], folder=tmp_path, tensorboard=False, progress=lambda done, total: None).run()
    assert found["supervised"]["tags"] < 0.4
    made = tiny(projection=None, tags=2, version="v2").supervised_stage(sounds(), labels).objectives[0]
    sgd = made.optimiser([torch.nn.Parameter(torch.ones(1))])
    assert isinstance(sgd, torch.optim.SGD) and sgd.param_groups[0]["nesterov"]
    with pytest.raises(OptionError, match="a head of 3 tags"):
        model.supervised_stage(sounds(), np.zeros((6, 3), np.float32))
    with pytest.raises(OptionError, match="has no projector"):
        model.project(torch.zeros(1, 1, 243))


def test_one_song_is_too_few():
    with pytest.raises(InputError, match="at least two recordings"):
        tiny().contrastive_stage(sounds(1))


# Embeddings -----------------------------------------------------------------------------------------------------------


def test_embed_is_the_encoder_on_windows():
    model = tiny()
    audio = noise(243 * 3.5 / 8000)
    found = model.embed(audio, pooling="none")
    windows = torch.from_numpy(audio.samples[0, : 3 * 243].reshape(3, 1, 243))
    with torch.inference_mode():
        expected = model.eval().encoder.represent(windows).numpy()
    np.testing.assert_allclose(found.vectors, expected, rtol=1e-4, atol=1e-5)
    assert found.starts == tuple(n * 243 / 8000 for n in range(3)) and found.window == 243 / 8000
    mean = model.embed(audio)
    np.testing.assert_allclose(mean.vectors[0], expected.mean(0), rtol=1e-4, atol=1e-5)
    assert mean.starts == (0.0,)
    halves = model.embed(audio, pooling="none", hop=100 / 8000)
    assert len(halves.vectors) == (int(3.5 * 243) - 243) // 100 + 1
    np.testing.assert_allclose(halves.vectors[0], expected[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rate", [8000, 11025, 48000, 192000])
@pytest.mark.parametrize("channels", [1, 8])
def test_any_rate_and_channels_and_blocks(rate, channels):
    model = tiny()
    audio = noise(0.4, rate, channels)
    whole = model.embed(audio, pooling="none")
    cuts = np.split(audio.samples, [17, rate // 9, rate // 5], axis=1)
    parts = model.embed_blocks([Audio(np.ascontiguousarray(cut), rate) for cut in cuts], pooling="none")
    assert len(whole.vectors) == len(parts.vectors) >= 12
    np.testing.assert_allclose(parts.vectors, whole.vectors, atol=1e-3)


@pytest.mark.parametrize("samples", [1, 242])
def test_short_sounds_are_filled_up(samples):
    model = tiny()
    audio = noise(1)
    short = Audio(audio.samples[:, :samples], 8000)
    found = model.embed(short, pooling="none")
    filled = np.pad(short.samples, ((0, 0), (0, 243 - samples)))
    assert found.vectors.shape == (1, model.encoder.features)
    np.testing.assert_allclose(found.vectors, model.represent(filled), rtol=1e-5)


@pytest.mark.parametrize("samples", [244, 399, 485, 800])  # one frame is left of 243 to 485, then two or more
def test_windows_of_another_length(samples):
    model = tiny().train()
    x = np.random.default_rng(0).standard_normal((70, samples)).astype(np.float32)
    found = model.represent(x)
    assert model.training and found.shape == (70, 8 * model.encoder.frames(samples))
    with torch.inference_mode():
        expected = model.eval().encoder.represent(torch.from_numpy(x)[:, None]).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_windows_too_short():
    with pytest.raises(InputError, match="leaves nothing of 242 samples; give windows of 243"):
        tiny().represent(np.zeros((1, 242), np.float32))


def test_silence_and_offset_give_numbers_and_bad_numbers_a_sentence():
    model = tiny()
    for value in (0.0, 1.0):
        found = model.embed(Audio(np.full((1, 1000), value, np.float32), 8000))
        assert np.isfinite(found.vectors).all()
    for bad in (np.nan, np.inf):
        samples = noise(0.2).samples.copy()
        samples[0, 100] = bad
        with pytest.raises(InputError, match="no numbers"):
            model.embed(Audio(samples, 8000))
    for options, said in (({"pooling": "max"}, "pooling"), ({"hop": 0.0}, "hop"), ({"hop": -1.0}, "hop")):
        with pytest.raises(OptionError, match=said):
            model.embed(noise(0.2), **options)


def test_embedding_leaves_no_trace():
    model = tiny()
    model.train()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    first = model.embed(noise(0.3)).vectors
    for _ in range(8):
        model.embed(noise(0.2))
    assert (model.embed(noise(0.3)).vectors == first).all()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert model.encoder.training
    told = []
    model.embed(noise(0.3), progress=lambda done, total: told.append((done, total)))
    assert told and told[-1][0] == told[-1][1]


def test_unknown_options():
    for name, value in (("quirks", "x"), ("version", "v3"), ("optimiser", "sgd")):
        with pytest.raises(OptionError, match=name):
            tiny(**{name: value})
    with pytest.raises(OptionError, match="no such encoder"):
        tiny(strides=(3, 3))
    assert all(one.kind == one.KEYWORD_ONLY for one in list(inspect.signature(CLMR.__init__).parameters.values())[1:])
