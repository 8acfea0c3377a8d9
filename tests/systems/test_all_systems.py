"""What every registered system owes: sizes, a card, tasks, a training that runs, weights that come back the same."""

import inspect
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from system_numbers import first_losses, recording, small_pieces, stage_losses, stages

from orchestrion.codecs.codec import Latents
from orchestrion.errors import OptionError, WeightsError
from orchestrion.hub.weights import bundled_path, read_weights, write_weights
from orchestrion.media.audio import Audio
from orchestrion.systems.registry import available, load, system_class
from orchestrion.systems.tasks import TASKS, Embeddings, GeneratesSound, Music, Sound
from orchestrion.training.trainer import Trainer

SCRIPT = Path(__file__).with_name("system_numbers.py")
NAMES = available()


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def mini(name):
    torch.manual_seed(0)
    return system_class(name).from_preset("mini")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def other_process():
    """Serves all systems, see `system_numbers`."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    with subprocess.Popen([sys.executable, SCRIPT], **pipes) as process:
        yield process
        process.stdin.close()


def protocol_of(kind, task):
    """What a task asks of a system; systems of sound generate sound."""
    return GeneratesSound if task == "generate" and "score" not in kind.card.modalities else TASKS[task]


def test_there_are_systems():
    assert NAMES and list(NAMES) == sorted(NAMES)


def test_card_is_complete(name):
    card = system_class(name).card
    assert card.name == name and card.title and card.tasks and card.modalities and card.licence and card.claims
    assert len(card.arxiv.split(".")) == 2 and card.arxiv.replace(".", "").isdecimal()
    assert (card.code is None) == (card.code_licence is None)
    assert card.weights is None or card.weights_licence
    assert set(card.tasks) <= set(TASKS)


def test_tasks_are_there_with_their_arguments(name):
    kind = system_class(name)
    for task in kind.card.tasks:
        method, protocol = getattr(kind, task), protocol_of(kind, task)
        asked = inspect.signature(getattr(protocol, task)).parameters
        had = inspect.signature(method).parameters
        assert set(asked) <= set(had), f"{task} lacks {sorted(set(asked) - set(had))}"
        for parameter in set(had) - set(asked):
            assert had[parameter].default is not inspect.Parameter.empty, f"{task} cannot do without {parameter}"
        for parameter in asked:
            assert had[parameter].kind == asked[parameter].kind, f"{parameter} of {task}"


def test_no_tasks_beside_the_card(name):
    kind = system_class(name)
    assert {task for task in TASKS if callable(getattr(kind, task, None))} == set(kind.card.tasks)


def test_presets(name, mini):
    kind = system_class(name)
    assert {"mini", "paper"} <= set(kind.presets)
    with torch.device("meta"):
        paper = kind.from_preset("paper")
    assert paper.parameter_count > mini.parameter_count > 0
    assert json.loads(json.dumps(mini.arguments)) == json.loads(json.dumps(kind.presets["mini"]))
    with pytest.raises(OptionError, match="has no preset 'enormous'"):
        kind.from_preset("enormous")
    with pytest.raises(OptionError, match="has no argument 'colour'"):
        kind.from_preset("mini", colour="red")


def test_sizes_are_keyword_arguments_with_a_known_meaning(name):
    parameters = list(inspect.signature(system_class(name).__init__).parameters.values())[1:]
    assert all(parameter.kind == inspect.Parameter.KEYWORD_ONLY for parameter in parameters)
    unnamed = [one.name for one in parameters if one.name not in (system_class(name).__doc__ or "")]
    assert not unnamed, "not in the docstring"


def test_forward_and_backward(mini, folder):
    """Every stage has finite losses, whose gradients reach what its objectives train and nothing that is frozen."""
    count = 0
    for stage in stages(mini, folder):
        modules = [mini, *stage.helpers.values()]
        for module in modules:
            module.train()
        for objective, loss in zip(stage.objectives, stage_losses(stage), strict=True):
            count += 1
            assert math.isfinite(loss.value.item()) and loss.weight > 0
            for module in modules:
                module.zero_grad()
            loss.value.backward(retain_graph=True)
            reached = [p for p in objective.parameters if p.grad is not None]
            assert len(reached) > 0.9 * len(objective.parameters), f"{stage.name}, {objective.name}"
            assert all(bool(p.grad.isfinite().all()) for p in reached)
            assert any(bool((p.grad != 0).any()) for p in reached)
    assert count
    mini.zero_grad()
    mini.eval()


def test_saved_and_loaded_by_another_process(mini, name, folder, tmp_path, other_process):
    path = tmp_path / "kept.safetensors"
    mini.eval()
    written = mini.save(path, {"seed": 0}, half=False)
    with torch.no_grad():
        losses = first_losses(mini, folder)
    other_process.stdin.write(json.dumps([str(path), str(folder)]) + "\n")
    other_process.stdin.flush()
    told = other_process.stdout.readline()
    assert told, f"{name} ended the process"
    assert json.loads(told) == {"losses": [float(loss.value) for loss in losses], "hash": written}
    header = read_weights(path).header
    assert (header["system"], header["licence"], header["seed"]) == (name, mini.card.licence, "0")


def check_audio(audio, rate=None, samples=None):
    assert isinstance(audio, Audio) and np.isfinite(audio.samples).all() and np.abs(audio.samples).max() <= 1.0
    assert rate is None or audio.rate == rate
    assert samples is None or audio.samples.shape[1] == samples


def check_music(music, **_):
    assert isinstance(music, Music) and music.score.note_num() > 0


def check_sound(sound, **options):
    assert isinstance(sound, Sound)
    check_audio(sound.audio, **options)


def check_embeddings(found, windows=None):
    assert isinstance(found, Embeddings) and found.vectors.dtype == np.float32 and found.vectors.ndim == 2
    assert np.isfinite(found.vectors).all() and found.space
    assert len(found.vectors) == len(found.starts) and (windows is None or len(found.vectors) == windows)


def test_each_task_gives_what_it_promises(mini, name, folder, monkeypatch):
    """With the weights that ship where there are some: untrained networks write scores without an end."""
    system = load(name) if bundled_path(name) is not None else mini.eval()
    if hasattr(system, "sampling_steps"):
        monkeypatch.setattr(system, "sampling_steps", 4)
    score, sound = small_pieces(folder)[0].score, recording(0)
    tasks = set(system.card.tasks)
    if "generate" in tasks and isinstance(system, GeneratesSound) and "score" not in system.card.modalities:
        (made,) = system.generate("a slow tune for organ", seconds=1.0)
        check_sound(made)
    elif "generate" in tasks:
        check_music(*system.generate("a slow tune for piano", bars=2))
    if "continue_" in tasks:
        check_music(system.continue_(score, bars=2))
    if "infill" in tasks:
        check_music(system.infill(score, bars=(1, 2)))
    if "arrange" in tasks:
        check_music(system.arrange(score, add=["bass"]))
    if "harmonize" in tasks:
        check_music(system.harmonize(score))
    if "infill_sound" in tasks:
        check_sound(system.infill_sound(sound, start=2.0, end=2.5), rate=sound.rate, samples=sound.samples.shape[1])
    if "continue_sound" in tasks:
        made = system.continue_sound(sound, "a slow tune for organ", seconds=0.5)
        check_sound(made, rate=sound.rate, samples=sound.samples.shape[1] + sound.rate // 2)
    if "fade" in tasks:
        check_music(system.fade(score, rhythm=0.5))
    if "replace_slices" in tasks:
        check_music(system.replace_slices(score))
    if "encode" in tasks:
        latents = system.encode(sound)
        assert isinstance(latents, Latents) and latents.values.ndim == 3 and np.isfinite(latents.values).all()
        assert latents.codec and latents.rate > 0 and latents.samples > 0
        if "decode" in tasks:
            check_audio(system.decode(latents), rate=latents.sample_rate, samples=latents.samples)
    if "transfer" in tasks:
        check_sound(system.transfer(sound))
    if "embed" in tasks:
        check_embeddings(system.embed(sound), windows=1)
        windows = system.embed(sound, pooling="none")
        check_embeddings(windows)
        assert len(windows.vectors) >= 2 and list(windows.starts) == sorted(windows.starts)
    if "embed_text" in tasks:
        text = system.embed_text("a slow tune for organ")
        check_embeddings(text, windows=1)
        assert text.space == system.embed(sound).space and text.vectors.shape == system.embed(sound).vectors.shape


@pytest.mark.slow
def test_a_training_that_is_stopped_in_each_stage_goes_on_exactly(name, folder, tmp_path):
    """Three steps a stage; each time the process would have ended in the last of them, all is built anew."""

    def train(place, stop_in=None):
        torch.manual_seed(0)
        system = system_class(name).from_preset("mini")
        pieces = small_pieces(folder)
        made = system.stages(pieces, pieces)
        for number, stage in enumerate(made):
            stage.validate = stage.samples = None
            if number == stop_in:
                stage.data = stopping(stage.data)
        Trainer(system, made, folder=place, max_steps=3, checkpoint_seconds=0, tensorboard=False).run()
        return system, len(made)

    def stopping(data):
        def call(step, share):
            if step == 2:
                raise KeyboardInterrupt
            return data(step, share)

        return call

    whole, count = train(tmp_path / "whole")
    for number in range(count):
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "stopped", number)
    system, _ = train(tmp_path / "stopped")
    assert (tmp_path / "stopped/log.jsonl").read_bytes() == (tmp_path / "whole/log.jsonl").read_bytes()
    assert all(torch.equal(value, system.state_dict()[key]) for key, value in whole.state_dict().items())


def test_weights_that_do_not_fit(mini, name, tmp_path):
    path = tmp_path / "x.safetensors"
    tensors = dict(mini.state_dict())
    header = {"system": name, "arguments": json.dumps(mini.arguments)}
    first = next(key for key, value in tensors.items() if value.ndim == 2)
    bad = {
        "do not fit their network": (tensors | {first: tensors[first][:-1]}, header),
        "do not fit": ({key: value for key, value in tensors.items() if key != first}, header),
        "are of another, not of": (tensors, {**header, "system": "another"}),
        "are of no system, not of": (tensors, {}),
        "do not say rightly": (tensors, {**header, "arguments": '{"colour": "red"}'}),
        "not say rightly how": (tensors, {**header, "arguments": "[1"}),
    }
    for said, (held, about) in bad.items():
        write_weights(path, held, about)
        with pytest.raises(WeightsError, match=said) as raised:
            type(mini).from_file(path)
        assert "\n" not in str(raised.value)
    write_weights(path, tensors, {})
    with pytest.raises(WeightsError, match="are of no system"):
        load(str(path))


def test_a_card_that_names_another_system_is_refused():
    from orchestrion.systems.registry import register

    kind = system_class(NAMES[0])
    other = type("Other", (kind,), {"card": replace(kind.card, name="another")})
    with pytest.raises(ValueError, match="the card of Other says 'another'"):
        register("other")(other)
    with pytest.raises(OptionError, match="There is no system 'nothing'; there are"):
        load("nothing")
