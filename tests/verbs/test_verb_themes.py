"""Themes of a file as a person asks for them, and pieces from a theme: what is told, drawn, refused."""

import json

import pytest
import torch

from orchestrion.cli.main import main
from orchestrion.data.corpus import load_corpus
from orchestrion.errors import InputError, OptionError
from orchestrion.media.score import read_score, write_score
from orchestrion.systems.theme_transformer import VOCABULARY, ThemeTransformer
from orchestrion.verbs.generate import generate
from orchestrion.verbs.themes import themes


@pytest.fixture(scope="module")
def tune(tmp_path_factory):
    path = tmp_path_factory.mktemp("tune") / "tune.mid"
    pieces = load_corpus("compact", split="test", limit=8)
    write_score(next(piece.score for piece in pieces if piece.metre == (4, 4)), path)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    sizes = {"width": 32, "feed_forward": 32, "num_encoder_layers": 1, "gate_pattern": [1], "accompaniment": "chords"}
    model = ThemeTransformer(**sizes)
    with torch.no_grad():
        model.network.head.bias[[VOCABULARY.bar, VOCABULARY.end]] += 5
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    model.save(path)
    return str(path)


def test_themes_are_listed_and_drawn(tune, tmp_path):
    found = themes(tune, tmp_path / "themes.png")
    assert found.picture == tmp_path / "themes.png" and found.picture.stat().st_size > 5000
    assert found.themes and found.themes[0]["name"] == "A" and 0 < found.share <= 1
    for theme in found.themes:
        assert len(theme["bars"]) >= 2 and theme["notes"]
        assert all(1 <= first <= last <= found.bars for first, last in theme["bars"])
    counts = [len(theme["bars"]) for theme in found.themes]
    assert counts == sorted(counts, reverse=True)
    assert len(themes(tune, eps=0.9).themes[0]["bars"]) >= counts[0]


def test_command_prints_one_object(tune, capsys):
    assert main(["themes", str(tune), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verb"] == "themes" and told["metre"] == "4/4" and told["picture"] is None


@pytest.mark.parametrize("options", [{"bars": 0}, {"eps": 0}, {"output": "x.mid"}])
def test_options_that_cannot_be(tune, options):
    with pytest.raises(OptionError):
        themes(tune, **options)


def test_a_piece_from_a_theme(tune, weights, tmp_path):
    made = [generate("", tmp_path / f"{n}.mid", theme=tune, bars=3, seed=4, system=weights) for n in range(2)]
    assert (tmp_path / "0.mid").read_bytes() == (tmp_path / "1.mid").read_bytes()
    assert made[0].prompt == "tune.mid" and made[0].pieces[0].report["theme"]["bars"]
    assert read_score(tmp_path / "0.mid").note_num() > 0


@pytest.mark.parametrize(
    ("prompt", "options", "said"),
    [
        ("a waltz", {}, "cannot both be given"),
        ("", {"key": "D minor"}, "--key"),
        ("", {"bars": 0}, "--bars"),
        ("", {"tempo": 5}, "--tempo"),
        ("", {"system": "clmr"}, "cannot develop"),
    ],
)
def test_themes_that_are_refused(tune, tmp_path, prompt, options, said):
    with pytest.raises(OptionError, match=said):
        generate(prompt, tmp_path / "x.mid", theme=tune, **options)
    assert not list(tmp_path.iterdir())


def test_a_theme_that_is_no_score(tmp_path):
    (tmp_path / "x.mid").write_bytes(b"MThd nothing")
    with pytest.raises(InputError):
        generate("", tmp_path / "y.mid", theme=tmp_path / "x.mid")
