"""RAVE at work: streams equal to the whole, tasks on any sound, freezing, the prior, exports, checkpoints."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from orchestrion.codecs.codec import Codec, Latents, Stream
from orchestrion.codecs.export import to_onnx, to_torchscript
from orchestrion.errors import InputError, OptionError, WeightsError
from orchestrion.hub.official import official_path
from orchestrion.hub.official import rave as official
from orchestrion.media.audio import Audio
from orchestrion.nn.filtered_noise import FilteredNoise
from orchestrion.systems.rave import RAVE
from orchestrion.systems.rave_presets import PRESETS
from orchestrion.systems.rave_training import Crops, Sounds, Training
from orchestrion.systems.registry import load
from orchestrion.training.trainer import Trainer

SMALL = {"capacity": 4, "latent": 6, "rate": 8000}


def small(preset="mini", **changes):
    """A preset with few channels, and statistics of batches that matter."""
    torch.manual_seed(0)
    model = RAVE.from_preset(preset, **{**SMALL, **changes})
    with torch.no_grad():
        for part in model.modules():
            if isinstance(part, nn.BatchNorm1d):
                part.running_mean.normal_(0, 0.1)
                part.running_var.uniform_(0.5, 2)
                part.bias.normal_(0, 0.1)
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(1.4)
    return model.eval()


def noiseless(model, monkeypatch):
    """Without chance: noise is a function of what draws it, and channels of noise are zeros."""
    monkeypatch.setattr(torch, "randn", lambda *shape, generator=None, **rest: torch.zeros(*shape, **rest))
    monkeypatch.setattr(torch, "randn_like", lambda like, **rest: torch.zeros_like(like))

    def noise(self, drawn, uniform=None):
        return drawn.mean(1, keepdim=True).repeat_interleave(self.frame, -1).expand(-1, self.bands, -1)

    monkeypatch.setattr(FilteredNoise, "noise", noise)
    model.second_stage.fill_(1.0)


def sound(seconds=1.0, channels=1, rate=8000, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    rows = [
        0.4 * np.sin(2 * np.pi * (200 + 70 * n) * time) + 0.05 * rng.standard_normal(len(time)) for n in range(channels)
    ]
    return Audio(np.stack(rows).astype(np.float32), rate)


@pytest.mark.parametrize("preset", sorted(PRESETS))
@torch.inference_mode()
def test_a_stream_is_the_whole_later(preset, monkeypatch):
    model = small(preset)
    noiseless(model, monkeypatch)
    steps, size = 7, model.latent - model.spherical
    x = 0.3 * torch.rand(2, model.channels, steps * model.ratio) - 0.15
    whole = model.point(x)
    encoder = model.streaming_encoder(latent_size=size)
    for block in (1, 4):
        made = torch.cat(list(encoder.run(2).whole(x.split(block * model.ratio, -1), flush=2)), -1)
        if not model.spherical:
            torch.testing.assert_close(made, whole, rtol=0, atol=1e-4 * float(whole.abs().max()))
    y = model.waveform(model.decoded(whole))
    decoder = model.streaming_decoder(latent_size=size)
    for block in (1, 4):
        made_y = torch.cat(list(decoder.run(2).whole(made.split(block, -1), flush=3)), -1)
        torch.testing.assert_close(made_y, y, rtol=0, atol=1e-4 * float(y.abs().max()))
    # block by block without end, as a host runs it: what comes out is late by what was computed
    chained = model.streaming_decoder(latent_size=size, late=encoder.after.late)
    first, second = encoder.run(2), chained.run(2)
    longer = nn.functional.pad(x, (0, chained.after.late + -chained.after.late % model.ratio))
    parts = [
        second(first(b, present=n < steps), present=n < steps) for n, b in enumerate(longer.split(model.ratio, -1))
    ]
    late = torch.cat(parts, -1)[..., chained.after.late :]
    torch.testing.assert_close(late[..., : y.shape[-1]], y, rtol=0, atol=1e-4 * float(y.abs().max()))


def test_causal_padding_lowers_the_delay():
    assert small("causal").stream().delay < small("v2").stream().delay


@pytest.mark.parametrize("preset", ["v1", "v2"])
def test_latents_do_not_see_the_future_in_causal_networks(preset):
    model = small(preset, padding="causal")
    x = sound().samples[None, :, : 3 * model.ratio]
    x = torch.from_numpy(np.pad(x, ((0, 0), (0, 0), (0, 3 * model.ratio - x.shape[-1]))))
    other = x.clone()
    other[..., 2 * model.ratio :] = 0.3
    bands, others = (model.encoder_input(one) for one in (x, other))
    with torch.inference_mode():
        seen = 2 * model.ratio // 16 - 16  # the filter bank itself looks ahead
        others[..., :seen] = bands[..., :seen]
        frames = seen // (model.ratio // 16)
        assert torch.equal(model.encoder(bands)[..., :frames], model.encoder(others)[..., :frames])


@settings(max_examples=6, deadline=None)
@given(
    seconds=st.floats(0.001, 1.2),
    channels=st.sampled_from([1, 2, 3]),
    rate=st.sampled_from([8000, 11025, 44100]),
    coded=st.sampled_from([1, 2]),
)
def test_any_sound_comes_back_as_long(seconds, channels, rate, coded):
    model = small(channels=coded)
    audio = sound(seconds, channels, rate)
    latents = model.encode(audio)
    again = model.decode(latents, seed=3)
    assert again.rate == model.rate and again.n_channels == -(-channels // coded) * coded
    assert abs(again.seconds - audio.seconds) < 2 / 8000
    assert latents.values.shape[2] == -(-latents.samples // model.ratio)
    assert np.array_equal(again.samples, model.decode(latents, seed=3).samples)


@pytest.mark.parametrize("quirks", ["none", "official"])
@pytest.mark.parametrize("preset", ["v1", "v2"])
def test_files_are_coded_as_by_the_network_on_the_whole(preset, quirks):
    model, audio = small(preset, quirks=quirks), sound(2.0, 3)
    latents = model.encode(audio, latent_size=model.latent)
    found = latents.values
    x = nn.functional.pad(torch.from_numpy(audio.samples)[:, None], (0, -audio.samples.shape[1] % model.ratio))
    with torch.inference_mode():
        whole = model.space.rotate(model.point(x), model.latent).numpy()
        made = model.waveform(model.decoded(model.point(x)))[:, 0, : latents.samples].numpy()
    np.testing.assert_allclose(found, whole, atol=1e-4 * np.abs(whole).max())
    np.testing.assert_allclose(model.decode(latents).samples, made, atol=1e-4 * np.abs(made).max())
    assert isinstance(model, Codec) and isinstance(model.stream(), Stream)


def test_missing_coordinates_are_drawn_anew_for_each_channel():
    model = small("v2")
    latents = model.encode(Audio(np.repeat(sound(1.5).samples, 2, 0), 8000), latent_size=2)
    assert np.array_equal(latents.values[0], latents.values[1])
    made = model.decode(latents, seed=0).samples
    assert np.abs(made[0] - made[1]).max() > 1e-6
    assert not np.array_equal(made, model.decode(latents, seed=1).samples)
    for _ in range(9):
        last = model.decode(latents, seed=0).samples
    assert np.array_equal(made, last)
    full = model.encode(sound(1.5), latent_size=6)  # with all coordinates nothing is drawn
    assert np.array_equal(model.decode(full, seed=0).samples, model.decode(full, seed=1).samples)


def test_how_many_coordinates_are_exported():
    model = small()
    assert model.exported() == model.latent  # before the axes are known
    scales = torch.tensor([4.0, 2.0, 1.5, 0.1, 0.1, 0.1])
    model.space.fit(torch.randn(2000, 6) * scales)
    assert model.exported(fidelity=0.5) == 1 and model.exported(fidelity=0.8) == 2 and model.exported(2) == 2
    assert model.exported() == model.space.dims(0.95) == 3
    assert model.encode(sound(), fidelity=0.5).values.shape[1] == 1
    for size in (0, 7):
        with pytest.raises(OptionError, match="There are 6 latent dimensions"):
            model.exported(size)
    with pytest.raises(OptionError, match="always 5 angles"):
        small("spherical").exported(4)


def test_sounds_and_latents_that_cannot_be_coded():
    model = small()
    latents = model.encode(sound(0.2))
    assert model.decode(latents).samples.shape == (1, 1600)
    nothing = Audio(np.zeros((1, 0), np.float32), 8000)
    with pytest.raises(InputError, match="no sound to code"):
        model.encode(nothing)
    broken = sound(0.2)
    broken.samples[0, 7] = np.nan
    with pytest.raises(InputError, match="no numbers"):
        model.encode(broken)
    for values, told in (
        (np.zeros((1, 9, 3), np.float32), r"Latents of shape \[1, 9, 3\]"),
        (np.zeros((1, 3, 0), np.float32), "cannot be decoded"),
        (np.full((1, 3, 3), np.inf, np.float32), "no numbers"),
    ):
        with pytest.raises(InputError, match=told):
            model.decode(Latents(values, 1.0, 8000, 10, model.identity))
    with pytest.raises(InputError, match="made by other:1"):
        model.decode(Latents(latents.values, 1.0, 8000, 10, "other:1"))
    for level in (0.0, 1.0):  # silence and DC
        made = model.transfer(Audio(np.full((1, 3000), level, np.float32), 8000)).audio.samples
        assert np.isfinite(made).all()


def test_style_is_put_on_and_forgotten():
    model = small("v3")
    plain = model.transfer(sound(), seed=1).audio.samples
    styled = model.transfer(sound(), seed=1, target=sound(seed=5, seconds=2)).audio.samples
    assert np.abs(plain - styled).max() > 1e-3
    assert np.array_equal(plain, model.transfer(sound(), seed=1).audio.samples)
    with pytest.raises(OptionError, match="use 'v3'"):
        small("v2").transfer(sound(), target=sound())


def pieces(count=3):
    from orchestrion.data.piece import Piece

    return [Piece(id=f"piece {n}", audio=sound(2.0, seed=n)) for n in range(count)]


TRAINING = {"crop": 4096, "batch_size": 2, "steps": (3, 4), "capacity": 4, "latent": 6, "rate": 8000}


def test_the_encoder_stands_still_in_the_second_stage(tmp_path):
    model = RAVE.from_preset("v1", **TRAINING, discriminator_capacity=2, noise_ratios=(4, 4, 4))
    stages = model.stages(pieces(), pieces())
    first, second = stages
    Trainer(model, [first], folder=tmp_path / "a", tensorboard=False).run()
    assert 0 < float(model.space.fidelity[-1]) <= 1.0001
    before = {name: value.clone() for name, value in model.encoder.state_dict().items()}
    axes, decoder = model.space.axes.clone(), model.decoder.waveform.parametrizations.weight.original1.clone()
    Trainer(model, [second], folder=tmp_path / "b", tensorboard=False).run()
    after = model.encoder.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)  # statistics of batches as well
    assert torch.equal(axes, model.space.axes)
    assert not torch.equal(decoder, model.decoder.waveform.parametrizations.weight.original1)
    assert bool(model.second_stage)
    loose = RAVE.from_preset("v1", **TRAINING, discriminator_capacity=2, freeze=False)
    kept = {name: value.clone() for name, value in loose.encoder.state_dict().items()}
    Trainer(loose, [loose.stages(pieces(), pieces())[1]], folder=tmp_path / "c", tensorboard=False).run()
    assert not all(torch.equal(kept[name], value) for name, value in loose.encoder.state_dict().items())


def test_turns_of_decoder_and_discriminator():
    model = RAVE.from_preset("v2", **TRAINING, discriminator_capacity=2)
    second = model.stages(pieces(), pieces())[1]
    turns = {one.name: [step for step in range(8) if one.due(step)] for one in second.objectives}
    assert turns == {"discriminator": [0, 4], "decoder": [1, 2, 3, 5, 6, 7]}


def test_training_on_stereo_recordings_and_on_scores():
    model = small(channels=2, crop=2048)
    stereo = pieces(2)
    stereo[0].audio = sound(2.0, 2)
    batch = Sounds(model, stereo, minutes=1, seed=0)(0, _Whole())
    assert batch.audio.shape == (8, 2, 2048) and bool(batch.audio.isfinite().all())
    again = Sounds(model, stereo, minutes=1, seed=0)(0, _Whole())
    assert torch.equal(batch.audio, again.audio)
    from orchestrion.data.piece import Piece

    with pytest.raises(InputError, match="sound or notes"):
        Sounds(model, [Piece(id="x")], minutes=1, seed=0)


class _Whole:
    part, parts = 0, 1

    def of(self, items):
        return items


def test_losses_move_what_they_should():
    model = small("mini")
    training = Training(model, model.discriminator())
    training._valid = (0, 0)
    batch = Crops(torch.from_numpy(sound(1.0).samples[None, :, :4096]), 0)
    early, late = (training.represent(Crops(batch.audio, step), torch.zeros(1, 6, 4)) for step in (0, 10_000))
    penalty = early.parts["penalty"]
    assert float(late.value - early.value) == pytest.approx(
        (training.beta(10_000) - training.beta(0)) * penalty, rel=1e-3
    )
    model.weights["matching"] = 0.0
    without = float(training.refine(batch, torch.zeros(1, 6, 4)).value)
    model.weights["matching"] = 100.0
    found = training.refine(batch, torch.zeros(1, 6, 4))
    assert float(found.value) == pytest.approx(without + 100 * found.parts["matching"], rel=1e-4)


def test_the_prior_learns_and_improvises(tmp_path):
    model = RAVE.from_preset(
        "mini", **TRAINING, prior_dims=2, prior_bins=4, prior_width=8, prior_skip=4, prior_layers=2, prior_steps=3
    )
    stages = model.stages(pieces(), pieces())
    assert [stage.name for stage in stages] == ["representation", "adversarial", "prior"]
    before = [parameter.clone() for parameter in model.prior.parameters()]
    Trainer(model, stages[2:], folder=tmp_path, tensorboard=False).run()
    assert any(not torch.equal(a, b) for a, b in zip(before, model.prior.parameters(), strict=True))
    made = model.improvise(seconds=1.0, seed=2).audio
    assert abs(made.seconds - 1.0) < 0.13 and np.array_equal(
        made.samples, model.improvise(seconds=1.0, seed=2).audio.samples
    )
    assert not np.array_equal(made.samples, model.improvise(seconds=1.0, seed=3).audio.samples)
    with pytest.raises(OptionError, match="has no prior"):
        small().improvise(seconds=1)


def test_torchscript_gives_what_the_stream_gives(tmp_path):
    model = small("v1", noise_ratios=())
    encoder = model.streaming_encoder(latent_size=6)
    decoder = model.streaming_decoder(latent_size=6, late=encoder.after.late)
    to_torchscript(encoder, decoder, tmp_path / "x.ts", channels=1)
    host = torch.jit.load(str(tmp_path / "x.ts"))
    assert host.encode_params.tolist() == [1, 1, 6, model.ratio]
    x = torch.from_numpy(sound(30.0).samples[None, :, : 60 * model.ratio])
    first, second = encoder.run(1), decoder.run(1)
    settled = max(encoder.settles, decoder.settles) + 12  # until nothing before the start is left
    for number, block in enumerate(x.split([model.ratio, 2 * model.ratio] * 20, -1)):
        with torch.inference_mode():
            ours = second(first(block))
        theirs = host(block)
        assert theirs.shape == ours.shape
        if number > settled:
            torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-5)
    host.reset()
    again = torch.jit.load(str(tmp_path / "x.ts"))
    torch.testing.assert_close(host(block), again(block))
    assert host(torch.zeros(3, 1, model.ratio)).shape == (3, 1, model.ratio)


def test_onnx_gives_what_the_stream_gives(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    model = small()
    encoder = model.streaming_encoder(latent_size=6)
    to_onnx(encoder, tmp_path / "x.onnx", channels=1, steps=2)
    session = onnxruntime.InferenceSession(str(tmp_path / "x.onnx"))
    names = [one.name for one in session.get_inputs()]
    state = [one.numpy() for one in encoder.plan.state(1, like=torch.zeros(1))]
    run, x = encoder.run(1), torch.from_numpy(sound(4.0).samples[None, :, : 30 * model.ratio])
    for number, block in enumerate(x.split(2 * model.ratio, -1)):
        made, *state = session.run(None, dict(zip(names, [block.numpy(), *state], strict=True)))
        ours = run(block).numpy()
        if 2 * number > encoder.settles + 6:
            np.testing.assert_allclose(made, ours, atol=1e-5)
    with pytest.raises(OptionError, match="0 steps"):
        to_onnx(encoder, tmp_path / "y.onnx", channels=1, steps=0)


CONFIG = """
from __gin__ import dynamic_registration
import rave
include "configs/v2.gin"
# Macros:
CAPACITY = 4
LATENT_SIZE = 6
RATIOS = [4, 2,
          2]
DILATIONS = [[1, 3], [1], [1]]
# Parameters for blocks.EncoderV2:
blocks.EncoderV2.capacity = %CAPACITY
blocks.EncoderV2.ratios = %RATIOS
variational/blocks.EncoderV2.n_out = 2
blocks.EncoderV2.dilations = %DILATIONS
blocks.GeneratorV2:
    ratios = %RATIOS
    dilations = %DILATIONS
    capacity = %CAPACITY
cc.get_padding.mode = 'causal'
pqmf.CachedPQMF.n_band = 8
rave.RAVE.sampling_rate = 8000
rave.RAVE.encoder = @blocks.VariationalEncoder
rave.RAVE.discriminator = @discriminator.CombineDiscriminators
rave.RAVE.weights = {'feature_matching': 20}
"""


def official_state(model):
    """What the published code would have called these weights."""
    state = {}
    for name, value in model.state_dict().items():
        name = name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        )
        name = name.replace("encoder.net.", "encoder.encoder.net.").replace(".body.", ".aligned.branches.0.net.")
        name = {"space.axes": "latent_pca", "space.mean": "latent_mean", "space.fidelity": "fidelity"}.get(name, name)
        name = name.replace("decoder.waveform.", f"decoder.net.{len(model.decoder.net)}.")
        if name != "second_stage":
            state[name] = value
    return {**state, "encoder.warmed_up": torch.tensor(1), "pqmf.h": torch.zeros(3)}


def test_a_published_checkpoint_is_converted(tmp_path, monkeypatch):
    monkeypatch.setenv("ORCHESTRION_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(0)
    model = RAVE(**official.arguments({"config": CONFIG})).eval()
    assert (model.ratio, model.rate, model.latent) == (128, 8000, 6)
    averaged = {"decoder.net.0.weight_g": 2 * official_state(model)["decoder.net.0.weight_g"]}
    folder = tmp_path / "run" / "version_0" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save({"state_dict": official_state(model), "callbacks": {"EMA": averaged}}, folder / "best.ckpt")
    monkeypatch.setenv("ORCHESTRION_OFFICIAL_RAVE", str(folder / "best.ckpt"))
    with pytest.raises(WeightsError, match=r"no config\.gin"):
        official_path("rave")
    (tmp_path / "run" / "config.gin").write_text(CONFIG)
    ours = load("rave:official")
    assert ours.quirks == "official"
    assert torch.equal(ours.encoder.net[0].weight, model.encoder.net[0].weight)
    assert torch.allclose(ours.decoder.net[0].weight, 2 * model.decoder.net[0].weight)  # the average


@pytest.mark.parametrize(
    "text, told",
    [
        ("rave.RAVE.x = __import__('os').system('true')", "cannot be read"),
        ("A = %B\nB = %A", "circle"),
        ("what", "line"),
    ],
)
def test_configurations_are_data(text, told):
    with pytest.raises(WeightsError, match=told):
        official.arguments({"config": text})


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return (exec, ("raise SystemExit",))

    path = tmp_path / "evil.ckpt"
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(WeightsError, match="cannot be read safely"):
        official.read(path)
    torch.save({"state_dict": {"x": torch.zeros(1)}}, path)
    with pytest.raises(WeightsError, match="holds no network of RAVE"):
        official.read(path)


def test_exported_weights_get_their_norms_back():
    model = small("v1")
    fused = {name: value for name, value in model.state_dict().items() if "parametrizations" not in name}
    for name, part in model.named_modules():
        if hasattr(part, "parametrizations"):
            fused[f"{name}.weight"] = part.weight.detach()
    other = RAVE.from_preset("v1", **SMALL)
    other.load_state_dict(official.with_norms(fused))
    for name, value in fused.items():
        if name.endswith("weight"):
            torch.testing.assert_close(other.get_submodule(name.rpartition(".")[0]).weight.detach(), value)


def test_options_that_do_not_fit():
    for changes, told in (
        ({"quirks": "x"}, "quirks is 'x'"),
        ({"input": "x"}, "input is 'x'"),
        ({"bands": 12}, "power of two"),
        ({"encoder_ratios": (2,)}, "different numbers of samples"),
        ({"bottleneck": "x"}, "no bottleneck 'x'"),
        ({"act": "x"}, "no activation 'x'"),
        ({"padding": "x"}, "no padding 'x'"),
        ({"fidelity_of": "x"}, "not of 'x'"),
        ({"prior_dims": 99}, "99 of 16"),
        ({"dilations": ((1,),)}, "dilations for 1 levels"),
    ):
        with pytest.raises(OptionError, match=told):
            RAVE.from_preset("mini", **changes)
    with pytest.raises(OptionError, match="no discriminator 'x'"):
        RAVE.from_preset("mini", discriminator="x").discriminator()
    for count in (0, 3, -2):
        with pytest.raises(OptionError, match="cannot stream"):
            small(channels=2).stream(channels=count)


def test_a_stream_that_is_left_half_way_leaves_gradients_on():
    torch.manual_seed(0)
    model = RAVE.from_preset("mini").eval()
    samples = np.random.default_rng(0).standard_normal((1, 1 << 19)).astype(np.float32) / 10
    parts = iter(model.encoding([Audio(samples, model.rate)]))
    latents = next(parts)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    made = model.decoding([np.tile(latents, 4)], size=latents.shape[1])
    next(made)
    assert torch.is_grad_enabled()
    del parts, made
    assert torch.is_grad_enabled()
