"""Parity with the published Theme Transformer: network, tokens, windows, sampling, grammar, for every case there is."""

import importlib.util
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from orchestrion.hub.official import theme_transformer as official
from orchestrion.paradigms.autoregressive import released_nucleus
from orchestrion.representations.theme_grammar import ThemeGrammar
from orchestrion.representations.theme_remi import (
    ThemeVocabulary,
    first_theme,
    shift_pitches,
    shift_range,
    theme_labels,
    windows,
)
from orchestrion.representations.theme_remi_official import TicksSong, midi_to_tokens, tokens_to_midi
from orchestrion.systems.theme_transformer import ThemeTransformer

HERE = Path(__file__).parents[1] / "reference"
ROOT = Path(os.environ.get("ORCHESTRION_REFERENCE", HERE)) / "theme_transformer"
WORDS = ThemeVocabulary()
VARIANTS = {
    "bar_first": {"bar_first": True},
    "include_bridge": {"bridge": True},
    "no_annotations": {"annotations": False},
    "no_trim": {"trim_intro": False, "trim_outro": False},
}


def each(file):
    folders = [folder for folder in sorted(ROOT.glob("*")) if (folder / file).exists()]
    return pytest.mark.parametrize("folder", folders, ids=lambda folder: folder.name)


def about(folder):
    return json.loads((folder / "case.json").read_text())


def filled(folder):
    path = ROOT.parent / "fill.py"
    spec = importlib.util.spec_from_file_location("theme_fill", path if path.exists() else HERE / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {key: torch.from_numpy(value) for key, value in module.state_dict(folder).items()}


@each("data.npz")
def test_network(folder):
    case = about(folder)
    tolerance = float(re.findall(r"\d[\d.]*(?:e-?\d+)?", str(case["tolerance"]))[0])
    model = ThemeTransformer(**official.arguments(case["arguments"]))
    model.load_state_dict(official.convert(filled(folder)))
    data = {name: torch.from_numpy(value) for name, value in np.load(folder / "data.npz").items()}
    real, counted = ~data["src_padding"].bool(), ~data["tgt_padding"].bool()
    tokens, labels = data["tgt"].long().T, data["tgt_label"].long().T
    network = model.eval().network
    with torch.inference_mode():
        memory = network.read(data["src"].long().T, real)
        logits = network(tokens, labels, memory, real)
        embedded = network.tokens(tokens)
        first = next(iter(network.decoder.layers))
        assert memory is not None and first.multihead_attn is not None
        layer = first(
            embedded,
            steps=network.decoder.table[None, : tokens.shape[1]],
            places=network.decoder.table[labels],
            inside=labels[..., None] > 0,
            memory=first.multihead_attn.project_memory(memory),
            memory_mask=real,
        )
    pairs = {"memory": (memory, real), "logits": (logits, counted), "decoder_layer_0": (layer, counted)}
    for name, (ours, kept) in pairs.items():
        published = data[name].transpose(0, 1)
        torch.testing.assert_close(ours[kept], published[kept], rtol=tolerance, atol=tolerance, msg=name)


@each("paper_keys.json")
def test_every_published_key_has_its_place_at_full_size(folder):
    keys = json.loads((folder / "paper_keys.json").read_text())
    with torch.device("meta"):
        model = ThemeTransformer.from_preset("paper")
        state = {key: torch.empty(shape) for key, shape in keys.items() if not key.startswith("_")}
    assert model.parameter_count == keys["_parameters"]
    ours = official.convert(state)
    assert {key: tuple(value.shape) for key, value in ours.items()} == {
        key: tuple(value.shape) for key, value in model.state_dict().items()
    }
    with torch.device("meta"):
        released = ThemeTransformer(**official.arguments(official.SOURCE["arguments"]))
    assert released.parameter_count == model.parameter_count


def song(found):
    tracks = {name: [tuple(note) for note in notes] for name, notes in found["tracks"].items()}
    themes = [notes for name, notes in tracks.items() if "theme" in name.lower()]
    tracks = {name: notes for name, notes in tracks.items() if "theme" not in name.lower()}
    tempos = [tuple(tempo) for tempo in found["tempo_changes"]]
    return TicksSong(found.get("ticks_per_beat", 120), tracks, tempos, themes[0] if themes else [])


def window_length(what):
    """The length that the sentence of a case names; the published data's without one."""
    found = re.search(r"\+1 = (\d+)", what)
    return int(found[1]) - 1 if found else None


@each("functions.json")
def test_vocabulary_and_tokens(folder):
    cases = json.loads((folder / "functions.json").read_text())
    assert len(WORDS) == cases["vocabulary"]["size"]
    assert {name: WORDS.ids[name] for name in cases["vocabulary"]["ids"]} == cases["vocabulary"]["ids"]
    given = song(cases["midi"])
    tokens = midi_to_tokens(given, WORDS)
    assert tokens == cases["midi2REMI"]["ids"]
    for name, expected in cases["midi2REMI_variants"].items():
        if name != "what":
            assert midi_to_tokens(given, WORDS, **VARIANTS[name]) == expected, name
    back, published = tokens_to_midi(tokens, WORDS), song(cases["REMIID2midi"])
    assert {name: sorted(notes) for name, notes in back.tracks.items() if notes} == {
        name: sorted(notes) for name, notes in published.tracks.items() if notes
    }
    assert sorted(back.themes) == sorted(published.themes)
    read_back = [(round(bpm), tick) for bpm, tick in published.tempos]
    assert [(round(bpm), tick) for bpm, tick in back.tempos] == read_back[-len(back.tempos) :]


@each("functions.json")
def test_windows_and_transposed_items(folder):
    cases = json.loads((folder / "functions.json").read_text())
    tokens = cases["midi2REMI"]["ids"]
    length = window_length(cases["preprocessREMI_strict"]["what"])
    theme = first_theme(tokens, WORDS)
    for at, name in (("themes", "preprocessREMI_strict"), ("regular", "preprocessREMI_windows")):
        expected = cases[name]
        assert (list(theme.tokens), list(theme.labels)) == (expected["src"], expected["src_theme_binary_msk"])
        found = windows(tokens, WORDS, length=length, at=at)
        assert [list(one.tokens) for one in found] == expected["tgt_segments"]
        assert [list(one.labels) for one in found] == expected["tgt_segments_theme_binary_msk"]
    strict = windows(tokens, WORDS, length=length)
    for item, window in zip(cases["dataset_items"]["items"], strict, strict=False):
        low, high = shift_range([*theme.tokens, *window.tokens], WORDS)
        assert [low, high + 1] == item["offset_range_low_high_exclusive"]
        for ours, name, mask in ((theme.tokens, "src", "src_msk"), (window.tokens, "tgt", "tgt_msk")):
            kept = [token for token, hidden in zip(item[name], item[mask], strict=True) if not hidden]
            assert shift_pitches(ours, WORDS, item["offset"]) == kept
        assert list(window.labels) == item["tgt_theme_msk"][: len(window.labels)]


@each("functions.json")
def test_released_nucleus(folder):
    for case in json.loads((folder / "functions.json").read_text())["sampling"]["cases"]:
        logits = torch.tensor([case["logits"]]) / case["temperature"]
        torch.testing.assert_close(logits.softmax(-1)[0], torch.tensor(case["probabilities"]), rtol=0, atol=1e-6)
        kept = released_nucleus(logits, case["p"]).softmax(-1)[0]
        ordered = kept.sort(descending=True)
        count = len(case["candidates"])
        assert ordered.indices[:count].tolist() == case["candidates"]
        expected = torch.tensor(case["candidate_probabilities"])
        torch.testing.assert_close(ordered.values[:count], expected, rtol=0, atol=1e-6)
        assert not kept[[n for n in range(len(kept)) if n not in case["candidates"]]].any()


@each("functions.json")
def test_grammar(folder):
    for case in json.loads((folder / "functions.json").read_text())["grammar"]["cases"]:
        theme = [WORDS.ids[name] for name in case["theme"]]
        start = [WORDS.ids[name] for name in (case["prompt"] or "").split()] or theme[:1]
        first_label = None if case["prompt"] else 0
        grammar = ThemeGrammar(WORDS, start, bars=case["n_bars"], first_label=first_label, quirks="official")
        accepted, seen = list(start), []
        for name in case["proposals"]:
            if grammar.done:
                break
            seen = grammar.labels[-case["max_len"] :]
            if grammar.allowed()[WORDS.ids[name]]:
                grammar.advance(WORDS.ids[name])
                accepted.append(WORDS.ids[name])
        assert [WORDS.names[token] for token in accepted] == case["accepted"]
        assert grammar.labels == case["labels"]
        assert seen == case["labels_seen_last_call"]
        if case["prompt"]:
            assert theme_labels(accepted, WORDS) == case["labels"]
