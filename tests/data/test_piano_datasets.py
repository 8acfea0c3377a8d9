"""Readers of VGMIDI, the Yamaha e-Piano Competition and ATEPP, on tiny folders in the published layouts."""

import json

import pytest
import symusic

from orchestrion.data.datasets import load_dataset
from orchestrion.errors import InputError


def write_midi(path, pitch=60):
    score = symusic.Score(480)
    score.tempos.append(symusic.Tempo(0, 120))
    track = symusic.Track("", 0)
    track.notes.append(symusic.Note(0, 480, pitch, 80))
    score.tracks.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    score.dump_midi(path)


HEAD = "id,series,console,game,piece,midi,valence,arousal\n"


def test_vgmidi(tmp_path):
    for name in ("A_0", "A_1", "B_0"):
        write_midi(tmp_path / "labelled/phrases" / f"{name}.mid")
    write_midi(tmp_path / "unlabelled/midi/C_3.mid")
    rows = "1,S,NES,Game,A,../phrases/A_0.mid,1,0\n1,S,NES,Game,A,../phrases/A_1.mid,-1,1\n"
    (tmp_path / "labelled/src").mkdir()
    (tmp_path / "labelled/src/vgmidi.csv").write_text(HEAD + rows)
    (tmp_path / "labelled/other.csv").write_text("label,id\n1,x\n")
    held = load_dataset("vgmidi", tmp_path)
    assert [entry.id for entry in held.entries] == ["A_0", "A_1", "B_0", "C_3"]
    first, second = held[0], held[1]
    assert first.tags["arousal"] == ["low"] and first.tags["valence"] == ["positive"]
    assert second.tags["arousal"] == ["high"] and second.tags["valence"] == ["negative"]
    assert first.split == second.split and first.title == "Game: A" and "arousal" not in held[2].tags


def test_hostile_vgmidi(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(InputError, match="does not look like VGMIDI"):
        load_dataset("vgmidi", tmp_path / "data")
    (tmp_path / "data/x.csv").write_text(HEAD + "1,S,NES,Game,A,../../secret.mid,1,0\n")
    with pytest.raises(InputError, match="outside of the data set"):
        load_dataset("vgmidi", tmp_path / "data")
    write_midi(tmp_path / "data/a.mid")
    (tmp_path / "data/x.csv").write_text(HEAD + "1,S,NES,Game,A,a.mid,1,loud\n")
    with pytest.raises(InputError, match="is no number"):
        load_dataset("vgmidi", tmp_path / "data")[0]


def annotations(**changes):
    """Five trained listeners who hear the arousal rise at half time, and seven others who hear nothing."""
    trained = {"musicianship": 4, "arousal": [-0.5, -0.4, 0.6, 0.7], "valence": [0.2] * 4}
    others = {"musicianship": 1, "arousal": [-0.9] * 4, "valence": [-0.9] * 4}
    drawn = {f"piece0_{n}": {**(trained if n < 5 else others), **changes.get("listener", {})} for n in range(12)}
    piece = {"name": "A Tune", "midi": "S_NES_Game_A.mid", "measures": 4, "duration": 4.0, **changes.get("piece", {})}
    return json.dumps({"annotations": drawn, "pieces": {"piece0": piece, "piece1": {**piece, "midi": "gone.mid"}}})


def test_vgmidi_curves(tmp_path):
    table = tmp_path / "labelled/annotations/vgmidi_raw_1.json"
    table.parent.mkdir(parents=True)
    table.write_text(annotations())
    score = symusic.Score(480)
    score.tempos.append(symusic.Tempo(0, 120))
    track = symusic.Track("", 0)
    for number in range(8):
        track.notes.append(symusic.Note(480 * number, 480, 60 + number, 80))
    score.tracks.append(track)
    (tmp_path / "labelled/midi").mkdir()
    score.dump_midi(tmp_path / "labelled/midi/S_NES_Game_A.mid")
    held = load_dataset("vgmidi_curves", tmp_path)
    assert [piece.tags["arousal"] for piece in held] == [["low"], ["high"]]
    first, second = held[0], held[1]
    assert first.tags["valence"] == second.tags["valence"] == ["positive"] and first.title == "A Tune"
    assert [note.pitch for note in first.score.tracks[0].notes] == [60, 61, 62, 63]
    assert [(note.time, note.pitch) for note in second.score.tracks[0].notes][:2] == [(0, 64), (480, 65)]
    assert first.split == second.split and second.score.tempos[0].qpm == 120
    write_midi(tmp_path / "labelled/phrases/A_0.mid")
    (tmp_path / "labelled/vgmidi.csv").write_text(HEAD + "1,S,NES,Game,A,phrases/A_0.mid,1,0\n")
    assert load_dataset("vgmidi", tmp_path).entries[0].split == first.split


def first_feelings(folder, text):
    (folder / "annotations").mkdir(exist_ok=True)
    (folder / "annotations/raw.json").write_text(text)
    write_midi(folder / "S_NES_Game_A.mid")
    return [entry.facts.feeling["arousal"] for entry in load_dataset("vgmidi_curves", folder).entries]


def test_which_listeners_of_vgmidi_count(tmp_path):
    held = json.loads(annotations())
    assert first_feelings(tmp_path, json.dumps(held)) == ["low", "high"]
    for number in range(3, 5):  # two trained ones are too few, so that all count
        held["annotations"][f"piece0_{number - 3}"]["musicianship"] = 2
        held["annotations"][f"piece0_{number}"]["musicianship"] = 1
    held["annotations"]["piece0_2"]["musicianship"] = 3
    assert first_feelings(tmp_path, json.dumps(held)) == ["low"]


def test_a_curve_that_is_a_bar_longer(tmp_path):
    held = json.loads(annotations())
    held["annotations"]["piece0_0"]["arousal"].append(-1.0)
    assert first_feelings(tmp_path, json.dumps(held)) == ["low", "high"]


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        annotations(piece={"measures": 0}),
        annotations(piece={"duration": "long"}),
        annotations(listener={"arousal": []}),
        annotations(listener={"arousal": [0.1, None, 0.2, 0.3]}),
        annotations(listener={"valence": "high"}),
        annotations(listener={"musicianship": "much"}),
    ],
)
def test_hostile_vgmidi_curves(tmp_path, text):
    with pytest.raises(InputError, match="does not look like VGMIDI"):
        load_dataset("vgmidi_curves", tmp_path)
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/raw.json").write_text(text)
    with pytest.raises(InputError, match="cannot be read as annotations"):
        load_dataset("vgmidi_curves", tmp_path)


def test_yamaha(tmp_path):
    for name in ("2002/chan01.MID", "2002/chan02.MID", "2004/LeeA03.mid"):
        write_midi(tmp_path / name)
    held = load_dataset("yamaha_epiano", tmp_path)
    assert [entry.id for entry in held.entries] == ["2002/chan01", "2002/chan02", "2004/LeeA03"]
    assert held[0].split == held[1].split and held[0].tempo is None and held[0].score.note_num() == 1
    with pytest.raises(InputError, match="does not look like"):
        (tmp_path / "empty").mkdir()
        load_dataset("yamaha_epiano", tmp_path / "empty")


ATEPP_HEAD = (
    "artist,artist_id,track,track_duration,composer,composition_id,score_path,midi_path,youtube_links,quality\n"
)


def test_atepp(tmp_path):
    for place in ("ATEPP-1.2/A_B/Op._1/00001.mid", "ATEPP-1.2/ATEPP-1.2/A_B/Op._1/00002.mid", "A_B/Op._2/00003.mid"):
        write_midi(tmp_path / place)
    rows = (
        "P,1,One,2.0,A B,0,,A_B/Op._1/00001.mid,x,\n"
        "Q,2,One,2.0,A B,0,,A_B/Op._1/00002.mid,x,background noise\n"
        'R,3,"Two, again",2.0,A B,1,,A_B/Op._2/00003.mid,x,corrupted\n'
        "R,3,Gone,2.0,A B,1,,A_B/Op._2/00004.mid,x,\n"
    )
    (tmp_path / "ATEPP-metadata-1.1.csv").write_text("nothing\n")
    (tmp_path / "ATEPP-metadata-1.2.csv").write_text(ATEPP_HEAD + rows)
    held = load_dataset("atepp", tmp_path)
    assert [entry.id for entry in held.entries] == ["A_B/Op._1/00001.mid", "A_B/Op._1/00002.mid"]
    assert held[0].split == held[1].split and held[0].tempo is None and held[0].title == "A B: One"
    assert held[1].tags == {"genre": ["classical"], "composer": ["A B"], "performer": ["Q"]}
    without = ATEPP_HEAD.replace(",quality", ",notes,")  # as in version 1.1
    (tmp_path / "ATEPP-metadata-1.2.csv").write_text(without + rows)
    assert len(load_dataset("atepp", tmp_path).entries) == 3


def test_hostile_atepp(tmp_path):
    with pytest.raises(InputError, match="does not look like ATEPP"):
        load_dataset("atepp", tmp_path)
    (tmp_path / "ATEPP-metadata-1.2.csv").write_text(ATEPP_HEAD + "P,1,One,2.0,A,0,,../secret.mid,x,\n")
    with pytest.raises(InputError, match="outside of that folder"):
        load_dataset("atepp", tmp_path)
    (tmp_path / "ATEPP-metadata-1.2.csv").write_text(ATEPP_HEAD + "P,1,One,2.0,A,0,,a.mid,x,\n")
    with pytest.raises(InputError, match="MIDI files that its table names"):
        load_dataset("atepp", tmp_path)
