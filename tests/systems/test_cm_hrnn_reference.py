"""Parity with the published CM-HRNN: networks, loss, generation and functions, for every reference case there is."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
import cm_hrnn_cases as reference

from orchestrion.hub.official import cm_hrnn as official
from orchestrion.paradigms.autoregressive import choose
from orchestrion.representations.leads import published_notes
from orchestrion.representations.melody_events import (
    DURATIONS,
    Event,
    bar_lengths,
    chord_class,
    class_chord,
    elapsed_classes,
    from_classes,
    success_bar_ratio,
)
from orchestrion.systems.cm_hrnn import CMHRNN
from orchestrion.theory.chords import INTERVALS
from orchestrion.training.event_windows import EventBatch


def each(file):
    return pytest.mark.parametrize("folder", reference.folders(file), ids=lambda folder: folder.name)


def sizes(model):
    bars, _, durations, _ = model.sizes
    return bars, bars + durations


def test_there_are_cases():
    assert reference.folders("case.json") and reference.folders("functions.json")


@each("case.json")
def test_network_and_loss(folder):
    model, data, tolerance = reference.system(folder), reference.arrays(folder), reference.about(folder)["tolerance"]
    passed = data["accumulated_time"].argmax(-1) if "accumulated_time" in data else None
    first, second = sizes(model)
    with torch.inference_mode():
        logits = model.network(data["event_windows"], passed)
        ours = torch.cat([logits.bar, logits.duration, logits.note], -1)
        torch.testing.assert_close(ours, data["logits"], rtol=tolerance, atol=tolerance)
        wanted = torch.stack([part.argmax(-1) for part in data["targets"].tensor_split([first, second], -1)], -1)
        every = torch.ones(wanted.shape[:2], dtype=torch.bool)
        time = passed if passed is not None else torch.zeros(wanted.shape[:2], dtype=torch.long)
        loss = model.loss(EventBatch(data["event_windows"], wanted, time, every))
        assert loss.value.item() == pytest.approx(float(data["loss"]), abs=tolerance)


@each("case.json")
def test_windows_are_cut_the_same(folder):
    """Rows of the published windows, made anew from their classes; and the time that has passed in each."""
    model, data = reference.system(folder), reference.arrays(folder)
    windows = data["event_windows"]
    bars, chords, durations, _ = model.sizes
    borders = np.cumsum([bars, *([chords, chords] if model.conditional else []), durations]).tolist()
    parts = [part.argmax(-1) for part in windows.tensor_split(borders, -1)]
    if not model.conditional:
        parts = [parts[0], torch.zeros_like(parts[0]), torch.zeros_like(parts[0]), *parts[1:]]
    bar, following, chord, duration, note = parts
    assert torch.equal(model.rows(torch.stack([bar, chord, duration, note], -1), following), windows)
    if "accumulated_time" not in data:
        return
    for row in range(len(windows)):
        found = elapsed_classes(bar[row].numpy(), duration[row].numpy(), quirks="official")[model.network.lead - 1 : -1]
        assert found.tolist() == data["accumulated_time"][row].argmax(-1).tolist()


@each("case.json")
def test_generation(folder):
    model, data, about = reference.system(folder), reference.arrays(folder), reference.about(folder)
    bars, chords, durations, _ = model.sizes
    borders = np.cumsum([bars, chords, durations]).tolist()

    def classes(rows):
        return torch.stack([part.argmax(-1) for part in rows.tensor_split(borders, -1)], -1)

    made = model.go_on(
        classes(data["generation_condition"]),
        data["generation_uniforms"],
        note_temperature=about["generation"]["note_temp"],
        duration_temperature=about["generation"]["rhythm_temp"],
        bar_temperature=about["generation"]["bar_temp"],
    )
    draws = data["generation_draws"].long()
    assert torch.equal(made[-len(draws) :][:, [3, 2, 0]], draws)
    published = classes(data["generation_events"][0])
    late = model.network.tiers == 1
    kept = len(made) - len(draws)
    shifted = made.clone()
    if late:  # the published baseline writes the chord of the event before
        shifted[kept:, 1] = made[kept - 1 : -1, 1]
    assert torch.equal(shifted, published)
    ours = sorted(published_notes(from_classes(shifted.numpy())))
    theirs = sorted((int(track), int(pitch), on, length) for track, pitch, on, length, _ in
                    data["generation_midi_notes"].tolist())  # fmt: skip
    assert ours == theirs


@each("paper_keys.json")
def test_every_published_key_has_its_place_at_full_size(folder):
    keys = json.loads((folder / "paper_keys.json").read_text())
    given = reference.about(folder)["arguments"]
    frames = {"3t_fc": (2, 16), "ad_rm3t_fc": (8, 16), "ad_rm3t_fc_rs": (8, 16)}.get(given["mode_choice"], (16, 16))
    full = {**given, "dim": 256, "frame_size": frames[0], "big_frame_size": frames[1]}
    with torch.device("meta"):
        model = CMHRNN(**official.arguments(full))
        state = {key: torch.empty(shape) for key, shape in keys.items() if not key.startswith("_")}
    assert model.parameter_count == keys["_parameters"]
    assert {key: tuple(value.shape) for key, value in official.convert(state).items()} == {
        key: tuple(value.shape) for key, value in model.state_dict().items()
    }


@pytest.mark.parametrize(
    ("preset", "mode"),
    [
        ("2t", "2t_fc"),
        ("paper", "ad_rm2t_fc"),
        ("3t", "3t_fc"),
        ("3t_elapsed", "ad_rm3t_fc"),
        ("3t_elapsed_residual", "ad_rm3t_fc_rs"),
        ("attention", "bln_attn_fc"),
        ("flat", "bln_fc"),
    ],
)
def test_presets_are_the_published_sizes(preset, mode):
    published = {
        "2t_fc": 6_934_090, "ad_rm2t_fc": 6_936_426, "3t_fc": 6_834_506, "ad_rm3t_fc": 7_592_554,
        "ad_rm3t_fc_rs": 7_592_554, "bln_attn_fc": 1_547_428, "bln_fc": 1_620_554,
    }  # fmt: skip
    with torch.device("meta"):
        assert CMHRNN.from_preset(preset).parameter_count == published[mode]


def test_a_melody_that_begins_with_continuations_is_early_in_published_files():
    notes = published_notes([Event(True, 0, 4, 1), Event(False, 0, 2, 3), Event(False, 0, 8, 62)])
    assert notes == [(0, 60, 0.0, 2.0)]


def test_the_published_search_for_a_flag_goes_on_at_the_end():
    flags, lengths = np.array([0, 0, 1, 1, 0]), np.array([0, 1, 3, 0, 1])
    assert elapsed_classes(flags, lengths, quirks="official").tolist() == [3, 5, 3, 0, 2]
    assert elapsed_classes(flags, lengths).tolist() == [0, 2, 3, 0, 2]


@each("functions.json")
def test_functions(folder):
    held = json.loads((folder / "functions.json").read_text())
    for number, meaning in held["chord_to_index"]["values"].items():
        chord = class_chord(int(number))
        if meaning[0] == "rest":
            assert chord.root is None
            continue
        assert chord.quality == meaning[1] and chord_class(chord) == int(number)
        assert [(chord.root + interval) % 12 for interval in INTERVALS[meaning[1]]] == meaning[2]
    assert held["decode_rhythm"]["values"] == [(index + 1) / 4 for index in range(DURATIONS)]
    for index, pitch in enumerate(held["decode_melody"]["values"]):
        assert pitch == (index if index < 2 else index - 2)
    remaining = held["find_remaining_time"]
    events = np.array(remaining["events"])
    found = elapsed_classes(events[:, 0], events[:, 2], quirks="official")[remaining["prev_len"] - 1 : -1]
    assert found.tolist() == remaining["expected"]
    for case in held["check_sucess_bar_ratio"]["cases"]:
        events = [Event(bool(bar), chord, duration + 1, note) for bar, chord, duration, note in case["events"]]
        assert success_bar_ratio(bar_lengths(events), quirks="official") == pytest.approx(case["expected"])
    drawn = held["choose_from_distribution"]
    logits = torch.tensor([drawn["p"]], dtype=torch.float64).log()
    expected = torch.tensor(drawn["expected"], dtype=torch.float64)
    middles = expected.cumsum(0) - expected / 2
    for index, middle in enumerate(middles.tolist()):
        uniform = torch.tensor([middle], dtype=torch.float64)
        assert choose(logits, uniform, temperature=drawn["temperature"]).item() == index
