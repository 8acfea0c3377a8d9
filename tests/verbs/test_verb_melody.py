"""Melodies and skeletons from the command line and from Python: what is written, what is kept, what is refused."""

import json

import numpy as np
import pytest
import symusic
import torch

from orchestrion.cli.main import main
from orchestrion.errors import InputError, OptionError
from orchestrion.media.score import read_score
from orchestrion.systems.cm_hrnn import CMHRNN
from orchestrion.systems.small_tunes_transformer import SmallTunesTransformer
from orchestrion.verbs.melody import melody, read_chords, read_plan, read_progression, repeated
from orchestrion.verbs.skeleton import skeleton

TUNE = """X:1
T:A tune
M:2/4
L:1/8
K:G
G2 Bd | g2 d2 | ec ed | B4 | A2 Bc | d2 B2 | AG AF | G4 | G2 Bd | g2 d2 | ec ed | B4 | A2 Bc | d2 B2 | AG AB | G4 |]
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    CMHRNN.from_preset("mini", width=16).save(folder / "chords.safetensors")
    small = {"width": 16, "num_heads": 2, "encoder_layers": 1, "decoder_layers": 1, "feed_forward": 16}
    SmallTunesTransformer.from_preset("mini", **small).save(folder / "tunes.safetensors")
    return folder


@pytest.fixture
def tune(tmp_path):
    path = tmp_path / "tune.abc"
    path.write_text(TUNE)
    return path


def notes(path, track=0):
    return [(note.time, note.duration, note.pitch) for note in read_score(path).tracks[track].notes]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C | Am | F | G7", [(0, 4, "C"), (4, 8, "Am"), (8, 12, "F"), (12, 16, "G7")]),
        ("|: Dm7 G7 | C % :|", [(0, 2, "Dm7"), (2, 4, "G7"), (4, 6, "C"), (6, 8, "C")]),
        ("C Am F", [(0, 4, "C"), (4, 8, "Am"), (8, 12, "F")]),
        ("Bb:min7\nN.C.", [(0, 4, "Bbm7"), (4, 8, "N.C.")]),
        ("C", [(0, 4, "C")]),
    ],
)
def test_progressions(text, expected):
    found = [(span.start, span.end, span.chord.jazz()) for span in read_progression(text)]
    assert found == expected
    twice = repeated(read_progression(text), 2)
    assert len(twice) == 2 * len(found) and twice[-1].end == 2 * expected[-1][1]


def test_plans():
    assert read_plan("4,4,8") == (4, 4, 8) and read_plan("3x4, 2") == (4, 4, 4, 2) and read_plan(None) == ()
    for bad in ("", "4,x", "0", "-4", "65x1", "2x400"):
        with pytest.raises(OptionError, match=r"plan"):
            read_plan(bad)


def test_a_melody_over_chords(weights, tmp_path, capsys):
    system = str(weights / "chords.safetensors")
    options = ["melody", "C | Am | F | G7", "--seed", "1", "--system", system, "--tempo", "90", "--json"]
    assert main([*options, "-o", str(tmp_path / "x.mid")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["verb"], told["system"], told["prompt"]) == ("melody", "cm_hrnn", "C | Am | F | G7")
    assert told["pieces"][0]["report"]["key"] == "C major" and told["pieces"][0]["bars"] == 4
    assert {path.suffix for path in tmp_path.iterdir()} == {".mid", ".json"}
    score = read_score(tmp_path / "x.mid")
    assert [track.name for track in score.tracks] == ["melody", "chords"] and round(score.tempos[0].qpm) == 90
    chords = {}
    for note in score.tracks[1].notes:
        chords.setdefault(note.time, set()).add(note.pitch % 12)
    assert chords == {0: {0, 4, 7}, 1920: {9, 0, 4}, 3840: {5, 9, 0}, 5760: {7, 11, 2, 5}}
    for number in range(3):
        melody("C | Am | F | G7", tmp_path / f"{number}.mid", seed=1 + number % 2, tempo=90, system=system)
    assert notes(tmp_path / "0.mid") == notes(tmp_path / "2.mid") == notes(tmp_path / "x.mid")
    assert notes(tmp_path / "1.mid") != notes(tmp_path / "0.mid")


def test_the_same_chords_from_files(weights, tmp_path):
    (tmp_path / "c.txt").write_text("C | Am\nF | G7\n")
    assert read_chords(tmp_path / "c.txt") == read_progression("C | Am | F | G7")
    system = str(weights / "chords.safetensors")
    melody("C | Am | F | G7", tmp_path / "a.mid", seed=0, system=system)
    melody(None, tmp_path / "b.mid", chords=tmp_path / "c.txt", seed=0, system=system)
    assert notes(tmp_path / "a.mid") == notes(tmp_path / "b.mid")
    heard = read_chords(tmp_path / "a.mid")
    assert [span.chord.root for span in heard][:2] == [0, 9]
    several = melody("C | G", tmp_path / "n.mid", n=2, repeat=2, seed=0, system=system)
    assert [piece.bars for piece in several.pieces] == [4, 4]


def test_what_carries_a_tune(tune, tmp_path, capsys):
    assert main(["skeleton", str(tune), "-o", str(tmp_path / "bones.mid"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["notes"], told["metre"], len(told["phrases"])) == (40, "2/4", 4)
    assert [row["bars"] for row in told["phrases"]] == [[1, 5], [5, 9], [9, 13], [13, 17]]
    assert told["phrases"][0]["skeleton"][0] == {"quarter": 0.0, "note": "G4"}
    assert 0 < told["share"] < 0.6
    bones, whole = notes(tmp_path / "bones.mid"), notes(tune)
    assert set(bones) < set(whole) and len(bones) == told["skeleton"]
    assert (tmp_path / "bones.png").stat().st_size > 1000
    again = skeleton(tmp_path / "bones.mid")
    assert len(again.phrases) == 4  # the marks are read back
    assert main(["skeleton", str(tune)]) == 0
    assert "phrase 4, bars 13 to 17" in capsys.readouterr().out
    assert skeleton(tune, tmp_path / "p.svg", phrases="lbdm", notes="rhythm").files == (tmp_path / "p.svg",)


def test_a_melody_from_its_skeleton_keeps_it_note_for_note(weights, tune, tmp_path):
    skeleton(tune, tmp_path / "bones.mid")
    system = str(weights / "tunes.safetensors")
    made = melody(None, tmp_path / "x.mid", skeleton=tmp_path / "bones.mid", seed=2, system=system)
    assert set(notes(tmp_path / "bones.mid")) <= set(notes(tmp_path / "x.mid"))
    assert made.pieces[0].report["phrases"] == 4 and made.pieces[0].report["metre"] == "2/4"
    planned = melody(None, tmp_path / "y.mid", skeleton=tmp_path / "bones.mid", plan="2x8", seed=2, system=system)
    assert planned.pieces[0].report["phrases"] == 2 and notes(tmp_path / "y.mid") != notes(tmp_path / "x.mid")


def test_a_melody_from_a_plan(weights, tmp_path):
    system = str(weights / "tunes.safetensors")
    made = melody(None, tmp_path / "x.mid", plan="4,4", metre="3/4", key="D minor", seed=0, system=system)
    score = read_score(tmp_path / "x.mid")
    assert made.pieces[0].bars == 8 and made.pieces[0].report["key"] == "D minor"
    assert (score.time_signatures[0].numerator, score.end()) == (3, 8 * 3 * 480)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Give chords like"),
        (["C | H#x | G"], "'H#x' is no chord"),
        (["  |  | "], "There are no chords"),
        (["N.C. | N.C."], "at least one chord"),
        (["C", "--plan", "4"], "not several of them"),
        (["C", "--chords", "x.txt"], "not several of them"),
        (["--plan", "4,four"], "is no plan"),
        (["C | G", "--metre", "3/4"], "in 4/4 only"),
        (["--plan", "4", "--metre", "7/16"], "not in 7/16"),
        (["C | " * 600], "at most 512"),
        (["C", "--repeat", "0"], "--repeat is 0"),
        (["C", "--temperature", "0"], "--temperature is 0"),
        (["C", "-o", "x.txt"], "does not end in a known format"),
        (["--chords", "missing.mid"], "missing.mid"),
        (["--skeleton", "missing.mid"], "missing.mid"),
        (["C", "--system", "midicaps"], "cannot melodize"),
    ],
)
def test_refused_in_one_sentence(arguments, said, weights, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "--system" not in arguments:
        tunes = "--plan" in arguments or "--skeleton" in arguments
        arguments = [*arguments, "--system", str(weights / ("tunes" if tunes else "chords")) + ".safetensors"]
    assert main(["melody", *arguments]) == 2
    sentence = capsys.readouterr().err
    assert said in sentence and sentence.count("\n") == 1
    assert not list(tmp_path.glob("melody*"))


def test_files_that_hold_no_tune(tmp_path):
    score = symusic.Score(480)
    drums = symusic.Track("drums", 0, True)
    drums.notes.append(symusic.Note(0, 240, 36, 90))
    score.tracks.append(drums)
    score.dump_midi(tmp_path / "drums.mid")
    (tmp_path / "bad.txt").write_bytes(np.random.default_rng(0).bytes(64))
    (tmp_path / "empty.mid").write_bytes(b"")
    with pytest.raises(InputError, match="no notes but drums"):
        skeleton(tmp_path / "drums.mid")
    with pytest.raises(InputError, match=r"bad\.txt is no text"):
        read_chords(tmp_path / "bad.txt")
    with pytest.raises(InputError, match="No chords are heard"):
        read_chords(tmp_path / "drums.mid")
    for name in ("empty.mid", "nothing.mid"):
        with pytest.raises(InputError, match=name):
            skeleton(tmp_path / name)
    with pytest.raises(OptionError, match="ends in no known format"):
        skeleton(tmp_path / "drums.mid", tmp_path / "x.wav")
