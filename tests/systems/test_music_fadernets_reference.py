"""Parity with the published Music FaderNets and its baselines, for every reference case that is there."""

import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from orchestrion.analysis.music21_keys import TickNote, music21_histogram
from orchestrion.analysis.roll_attributes import roll_attributes
from orchestrion.errors import WeightsError
from orchestrion.evaluation.faders import fader_scores
from orchestrion.hub.official import music_fadernets as official
from orchestrion.paradigms.attribute_regularisation import (
    ordering_loss,
    slope_loss,
    soft_note_density,
    soft_rhythm_density,
)
from orchestrion.representations.performance_events import (
    EOS,
    EventVocabulary,
    StepNote,
    insert_end_early,
    seconds_to_steps,
    until_end,
)
from orchestrion.representations.segments import keep_largest, key_vector
from orchestrion.systems.music_fadernets import MusicFaderNets
from orchestrion.training.fader_segments import FaderBatch

HERE = Path(__file__).parents[1] / "reference"
ROOT = Path(os.environ.get("ORCHESTRION_REFERENCE", HERE)) / "music_fadernets"
CASES = sorted(folder for folder in ROOT.glob("*") if (folder / "data.npz").exists())
FUNCTIONS = sorted(ROOT.glob("**/functions.json"))
TICKS = 960  # a second of the cases' MIDI files
each = pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)


def fill():
    path = ROOT.parent / "fill.py"
    spec = importlib.util.spec_from_file_location("fader_fill", path if path.exists() else HERE / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def about(folder):
    return json.loads((folder / "case.json").read_text())


def close(ours, published, tolerance):
    torch.testing.assert_close(ours, published, rtol=tolerance, atol=tolerance)


class Case:
    """A network with the weights of a case, its inputs, and what the published code gave."""

    def __init__(self, folder):
        told = about(folder)
        self.told, self.tolerance = told, told["tolerance"]
        self.model = MusicFaderNets(**official.arguments(told["arguments"], told["class"])).eval()
        kept = {key: value for key, value in self.model.state_dict().items() if "log_variance" in key}
        state = {key: torch.from_numpy(value) for key, value in fill().state_dict(folder).items()}
        self.model.load_state_dict({**official.convert(state), **kept})
        arrays = {name: torch.from_numpy(value) for name, value in np.load(folder / "data.npz").items()}
        self.data = {k: v.long() if v.dtype == torch.int32 else v for k, v in arrays.items()}
        self.blocks = ("rhythm", "notes") if self.model.network.two_blocks else ("z",)
        data = self.data
        if "rhythm_density" in data:
            densities = torch.stack([data["rhythm_density"].flatten(), data["note_density"].flatten()], 1)
        else:
            densities = torch.stack([(data["rhythm"] == 1).float().mean(1), data["note_counts"].float().mean(1)], 1)
        self.densities = densities

    def batch(self, step, labelled=False):
        data = self.data
        labels = data["arousal_class"] if labelled else None
        return FaderBatch(
            data["tokens"], data["rhythm"], data["note_counts"], data["key_vector"], self.densities, labels, None, step
        )

    @property
    def noise(self):
        return [self.data[f"noise_{block}"] for block in self.blocks]


@pytest.fixture(scope="module", params=CASES, ids=lambda folder: folder.name)
def case(request):
    return Case(request.param)


def test_there_are_cases():
    assert CASES and FUNCTIONS


def test_network(case):
    data, network, tolerance = case.data, case.model.network, case.tolerance
    with torch.inference_mode():
        latents = network.encode(data["tokens"], case.densities)
        for block, one in zip(case.blocks, latents, strict=True):
            close(one.mean, data[f"mean_{block}"], tolerance)
            close(one.scale, data[f"std_{block}"], tolerance)
        z = [one.sample(noise) for one, noise in zip(latents, case.noise, strict=True)]
        given = network.gather(z, data["key_vector"], case.densities)
        close(given if case.blocks == ("z",) else z[0], data["z" if case.blocks == ("z",) else "z_rhythm"], tolerance)
        forced = network.decoder(data["tokens"], given).log_softmax(-1)
        close(forced, data["log_probs_teacher_forced"], tolerance)
        free = network.decoder.roll_out(given, steps=data["tokens"].shape[1], keep_log_probs=True)
        assert torch.equal(free.ids, data["tokens_free_running"])
        close(free.log_probs, data["log_probs_free_running"], tolerance)
        if "rhythm_out" in data:
            for decoder, symbols, one, name in zip(
                network.sub_decoders, ("rhythm", "note_counts"), z, ("rhythm_out", "notes_out"), strict=True
            ):
                close(decoder(data[symbols], one, shifted=False).log_softmax(1), data[name], tolerance)
        names = [name for name in data if name.startswith("component_logits")]
        for name, logits in zip(names, case.model.network.component_logits(z) if names else [], strict=True):
            torch.testing.assert_close(logits, data[name], rtol=tolerance, atol=1e-2)
            close(logits.softmax(-1), data[name.replace("logits", "probs")], tolerance)
        if "discriminator_rhythm" in data:
            read = network.discriminate(z[0])
            close(read[0], data["discriminator_rhythm"], tolerance)
            close(read[1], data["discriminator_notes"], tolerance)


def test_losses(case):
    def near(ours, published):
        assert ours == pytest.approx(published, rel=case.tolerance, abs=1e-5)

    for name, wanted in case.told.get("losses", {}).items():
        words = name.replace(",", "").split()
        step = next((int(word) for word in words if word.isdecimal()), 500) if "step" in words else 500
        with torch.no_grad():
            found = case.model.loss(case.batch(step, "labelled" in words), case.noise)
        parts = dict(found.parts)
        order = {key.split(", ")[1]: parts.pop(key) for key in list(parts) if key.startswith(("order", "adversary"))}
        if "loss" in wanted:
            near(float(found.value) - sum(order.values()), wanted["loss"])
            near(parts["events"], wanted["CE_tokens"])
            for ours, theirs in (("rhythm", "CE_rhythm"), ("notes", "CE_notes")):
                if theirs in wanted:
                    near(parts[ours], wanted[theirs])
            if "KL_rhythm" in wanted:
                near(parts["divergence"], sum(value for key, value in wanted.items() if key.startswith("KL")))
        else:
            near(order["rhythm"], wanted["rhythm"])
            near(order["notes"], wanted["notes"])


@each
def test_every_published_key_has_its_place_at_full_size(folder):
    told = about(folder)
    keys = json.loads((folder / "paper_keys.json").read_text())
    sizes = {"hidden_dims": 512, "z_dims": 128}
    with torch.device("meta"):
        model = MusicFaderNets(**official.arguments({**told["arguments"], **sizes}, told["class"]))
        state = {key: torch.empty(shape) for key, shape in keys.items() if not key.startswith("_")}
        ours = official.convert(state)
    assert model.parameter_count == keys["_parameters"]
    assert {key: tuple(value.shape) for key, value in ours.items()} == {
        key: tuple(value.shape) for key, value in model.state_dict().items()
    }


@each
def test_a_checkpoint_says_how_it_was_made(folder, tmp_path):
    told = about(folder)
    state = {key: torch.zeros(shape) for key, shape in json.loads((folder / "keys.json").read_text()).items()}
    torch.save(state, tmp_path / "x.pt")
    found = official.arguments_of(tmp_path / "x.pt")
    model = MusicFaderNets(**found)
    model.load_state_dict(official.read(tmp_path / "x.pt"))
    assert found["family"] == official.FAMILIES[told["class"]]


def test_what_the_published_classes_fix_whatever_their_arguments_say():
    """The key vector has 24 numbers and a classifier three classes; `chroma_dims` is read by unused modules alone."""
    given = {"roll_dims": 60, "rhythm_dims": 4, "note_dims": 9, "chroma_dims": 12, "hidden_dims": 16, "z_dims": 6}
    model = MusicFaderNets(**official.arguments({**given, "n_step": 32}, "MusicAttrRegGMVAE"))
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert shapes["network.decoder.start.weight"] == (16, 2 * 6 + 24)
    assert shapes["network.sub_decoders.0.out.weight"] == (4, 16)
    assert shapes["network.spare.chroma_out.weight"] == (12, 6)
    assert shapes["network.spare.class_rhythm.weight"] == shapes["network.spare.class_notes.weight"] == (3, 6)
    assert shapes["network.priors.0.mean"] == (4, 6)  # components by default
    plain = official.arguments({**given, "n_step": 32, "k": 500}, "MusicAttrSingleVAE")
    assert plain["keys"] == 24 and "components" not in plain
    alone = official.arguments({"roll_dims": 60, "hidden_dims": 16, "z_dims": 6, "n_step": 32}, "MusicAttrSingleGMVAE")
    assert len(MusicFaderNets(**alone).state_dict()["network.priors.0.mean"]) == 4


def test_foreign_files(tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "x.pt")
    with pytest.raises(WeightsError, match="no published network"):
        official.arguments_of(tmp_path / "x.pt")
    with pytest.raises(WeightsError, match="'a' belongs to no"):
        official.read(tmp_path / "x.pt")
    with pytest.raises(WeightsError, match="no class"):
        official.arguments({}, "Other")
    with pytest.raises(WeightsError, match="no argument 'colour'"):
        official.arguments({"colour": 1}, "MusicAttrRegVAE")


# Functions ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=FUNCTIONS, ids=lambda path: path.parent.name)
def functions(request):
    return json.loads(request.param.read_text())


def through_midi(notes):
    """Notes as [start tick, pitch, end tick, velocity]; an off in a MIDI file ends every note of its pitch."""
    events = [(round(end * TICKS), 0, pitch, 0) for pitch, _, end, _ in notes]
    events += [(round(start * TICKS), 1, pitch, velocity) for pitch, start, _, velocity in notes]
    open_, found = {}, []
    for tick, on, pitch, velocity in sorted(events):
        if on:
            open_.setdefault(pitch, []).append((tick, velocity))
        else:
            found += [(start, pitch, tick, loud) for start, loud in open_.pop(pitch, [])]
    return sorted(found, key=lambda note: note[:2])


def test_notes_of_a_step_may_keep_their_order_and_may_have_no_velocity():
    vocabulary = EventVocabulary()
    notes = [StepNote(3, 5, 64, 1), StepNote(3, 5, 60, 1)]
    assert vocabulary.encode(notes, in_order=True) == [180, 278, 45, 41, 179, 133, 129]
    assert vocabulary.encode(notes) == [180, 278, 41, 45, 179, 129, 133]
    assert vocabulary.decode([41, 180, 129], velocity=100) == [StepNote(0, 3, 60, 100)]
    assert vocabulary.decode([41, 180, 129]) == [StepNote(0, 3, 60, 64)]


def test_tokens(functions):
    held = functions["tokens"]
    vocabulary = EventVocabulary()
    assert len(vocabulary) == held["vocabulary"]
    for one in held["cases"]:
        notes = [
            StepNote(*(seconds_to_steps(tick / TICKS) for tick in (start, end)), pitch, velocity)
            for start, pitch, end, velocity in through_midi(one["notes"])
        ]
        assert vocabulary.encode(notes, in_order=True, quirks="official") == one["expected_tokens"]
        if "expected_notes_decoded" in one:
            ours = [
                [n.pitch, n.start / 100, n.end / 100, n.velocity] for n in vocabulary.decode(one["expected_tokens"])
            ]
            assert sorted(ours) == sorted(one["expected_notes_decoded"])
        else:
            with pytest.raises(ValueError, match="is outside"):
                vocabulary.encode(notes)


def test_attributes(functions):
    for one in functions["get_music_attributes"]["cases"]:
        roll = np.zeros((16, 128), int)
        for item in one["roll"]:
            if item[0] == "clear":
                roll[item[1] : item[2]] = 0
            else:
                start, length, pitch, velocity = item
                roll[start : start + length, pitch] = velocity
        found = roll_attributes(roll)
        for name in ("rhythm", "note_counts", "velocity", "chroma"):
            assert getattr(found, name).tolist() == one[name], name
        assert found.rhythm_density == one["rhythm_density"] and found.note_density == one["note_density"]
        assert list(found.classes) == one["classes"]


def test_keys(functions):
    for one in functions["get_harmony_vector"]["cases"]:
        notes = [TickNote(start, end, pitch) for start, pitch, end, _ in through_midi(one["notes"])]
        histogram = music21_histogram([notes], TICKS // 2)
        np.testing.assert_allclose(key_vector(histogram, form="all"), one["coefficients"], atol=1e-9)
        assert key_vector(histogram, form="best").tolist() == one["one_hot"]
    held = functions["keep_three_keys"]
    assert keep_largest(np.array(held["values"])).tolist() == held["expected"]


def test_scores_of_faders(functions):
    held = functions["evaluation"]
    rhythm, notes, knob = (np.array(held[name]) for name in ("rhythm", "notes", "knob"))
    for target, other, name in ((rhythm, notes, "rhythm_fader"), (notes, rhythm, "note_fader")):
        found = fader_scores(knob, target, other)
        assert found.consistency == pytest.approx(held[name]["consistency"])
        assert found.restrictiveness == pytest.approx(held[name]["restrictiveness"])
        assert found.linearity == pytest.approx(held[name]["linearity"])


def test_ends(functions):
    assert until_end(functions["clean_output"]["ids"]) == functions["clean_output"]["expected"]
    assert insert_end_early(functions["vgmidi_eos"]["tokens"]) == functions["vgmidi_eos"]["expected"]
    assert EOS == 1


def test_slopes(functions):
    held = functions["glsr"]
    token, peak = torch.tensor(held["token"]), torch.tensor(held["peak"])
    logits = torch.zeros(*token.shape, 342).scatter_(-1, token[..., None], peak[..., None])
    first, second = (0.01 * (1 + torch.tensor(uniform)) for uniform in held["uniforms"])
    ons, separators = slice(2, 90), slice(180, 278)
    sides = [soft_rhythm_density(one, ons, separators, quirks="official") for one in logits[:2]]
    assert float(slope_loss(*sides, first)) == pytest.approx(held["expected"]["rhythm"], rel=1e-4)
    sides = [soft_note_density(one, ons) for one in logits[2:]]
    assert float(slope_loss(*sides, second)) == pytest.approx(held["expected"]["notes"], rel=1e-4)
    mended = soft_rhythm_density(logits[0], ons, separators)
    assert float(mended[0]) == pytest.approx(
        float(soft_rhythm_density(logits[0], ons, separators, quirks="official")[0])
    )


def test_order_of_two_is_known():
    z, attribute = torch.tensor([0.0, 2.0]), torch.tensor([1.0, 3.0])
    gap = float(torch.tanh(torch.tensor(2.0)))
    assert float(ordering_loss(z, attribute)) == pytest.approx(2 * (gap - 1) ** 2 / 4)
    assert float(ordering_loss(z, -attribute)) == pytest.approx(2 * (gap + 1) ** 2 / 4)
