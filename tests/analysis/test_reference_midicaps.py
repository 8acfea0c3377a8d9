"""The published pipeline's own answers. Every case of `midicaps/functions.json` is run."""

import base64
import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest

from orchestrion.analysis.chord_summary import chord_summary, commonest_run
from orchestrion.analysis.instruments import instrument_name
from orchestrion.analysis.published_midi import published_features
from orchestrion.analysis.tags import top_tags
from orchestrion.analysis.wordings import duration_word, tempo_word

ROOT = Path(os.environ.get("ORCHESTRION_REFERENCE", Path(__file__).parents[1] / "reference"))
FILE = ROOT / "midicaps" / "functions.json"
CASES = json.loads(FILE.read_text()) if FILE.is_file() else {}


def _cases(name):
    return [pytest.param(case, id=f"{name}{i}") for i, case in enumerate(CASES.get(name, {}).get("cases", []))]


@pytest.mark.parametrize("case", _cases("midi_features"))
def test_midi_features(case):
    features = published_features(base64.b64decode(case["midi_base64"]))
    found = {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(features).items()}
    for name, value in found.items():
        if name not in case:
            continue
        if isinstance(case[name], float):
            assert value == pytest.approx(case[name], abs=1e-5), name
        else:
            assert value == case[name], name
    if features.tempo is not None:
        for coin, italian in (("tempo_word_coin_0", True), ("tempo_word_coin_1", False)):
            if coin in case:
                assert tempo_word(features.tempo, italian=italian) == case[coin]
    if "duration_word" in case:
        assert duration_word(features.duration) == case["duration_word"]


@pytest.mark.parametrize("case", _cases("chord_summary"))
def test_chord_summary(case):
    sequence, count = chord_summary(case["chords"])
    assert [list(sequence), count] == case["expected"]
    for length, (run, times) in zip((3, 4, 5), case.get("best_3_4_5", ()), strict=False):
        assert commonest_run(case["chords"], length) == (tuple(run or ()), times)


@pytest.mark.parametrize("value, word", CASES.get("words", {}).get("examples", {}).items())
def test_tempo_word(value, word):
    assert tempo_word(float(value), italian=True) == word


@pytest.mark.skipif("words" not in CASES, reason="the reference folder has no words")
def test_words_agree_on_and_beside_every_mark():
    words = CASES["words"]
    for marks, names, say in (
        ("tempo_italian_marks", "tempo_italian", lambda x: tempo_word(x, italian=True)),
        ("tempo_plain_marks", "tempo_plain", lambda x: tempo_word(x, italian=False)),
        ("duration_marks", "duration", duration_word),
    ):
        for i, mark in enumerate(words[marks]):
            assert say(mark) == words[names][i]
            assert say(mark + 0.5) == words[names][i + 1]


@pytest.mark.parametrize("case", _cases("tags"))
def test_tags(case):
    activations = np.array(CASES["tags"]["activations"])
    names = [f"tag{i}" for i in range(activations.shape[1])]
    found = top_tags(activations, names, max_num_tags=case["max_num_tags"], threshold=case["threshold"])
    assert [*found] == case["expected"]


def test_instrument_names():
    for program, name in enumerate(CASES.get("instrument_names", {}).get("values", [])):
        assert instrument_name(program) == name
