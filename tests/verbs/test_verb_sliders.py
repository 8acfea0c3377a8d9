"""fade, slices and explore: from file to file."""

import json

import pytest
import symusic

from orchestrion.errors import InputError, OptionError
from orchestrion.verbs.explore import explore
from orchestrion.verbs.fade import fade
from orchestrion.verbs.slices import slices


@pytest.fixture
def tune(tmp_path):
    score = symusic.Score(480)
    score.time_signatures.append(symusic.TimeSignature(0, 3, 4))
    score.tempos.append(symusic.Tempo(0, 100))
    track = symusic.Track("piano", 0)
    for beat in range(24):
        track.notes.extend([symusic.Note(480 * beat, 470, pitch, 70) for pitch in (48, 64 + beat % 5, 67)])
    score.tracks.append(track)
    score.dump_midi(tmp_path / "tune.mid")
    return tmp_path / "tune.mid"


def test_slices(tune, tmp_path):
    found = slices(tune, tmp_path / "out.mid", replace=0.5, seed=3)
    made = symusic.Score(tmp_path / "out.mid")
    assert found.verb == "slices" and found.system == "word2vec_music"
    assert made.note_num() == 72 and made.time_signatures[0].numerator == 3
    report = found.pieces[0].report
    assert report["slices"] == 24 and report["replaced"] == round((24 - report["slices without a vector"]) / 2) > 0
    assert json.loads((tmp_path / "out.json").read_text())["extra"]["report"] == report


def test_fade_refuses_what_has_no_meaning(tune, tmp_path):
    with pytest.raises(OptionError, match="--arousal is 3; give a number from -1 to 1"):
        fade(tune, tmp_path / "x.mid", arousal=3)
    with pytest.raises(OptionError, match="--replace is 2"):
        slices(tune, tmp_path / "x.mid", replace=2)
    with pytest.raises(OptionError, match="cannot fade"):
        fade(tune, tmp_path / "x.mid", system="word2vec_music")
    assert not (tmp_path / "x.mid").exists()


def test_explore_a_folder(tune, tmp_path):
    with pytest.raises(InputError, match="There are only 24 slices"):
        explore(tune, output=tmp_path / "out")
    score = symusic.Score(tune)
    track = score.tracks[0]
    track.notes.extend([symusic.Note(480 * (24 + n), 470, 55 + 5 * (n % 4), 60) for n in range(300)])
    score.dump_midi(tune)
    found = explore(tune.parent, output=tmp_path / "out", words=24)
    assert found.pieces == 1 and found.slices == 324 and 4 <= found.words <= 24
    assert all(path.stat().st_size > 0 for path in found.files) and len(found.files) == 4
    assert set(json.loads((tmp_path / "out/figures.json").read_text())) == {"chords", "keys by fifths", "key distances"}
    with pytest.raises(OptionError, match="--words is 3"):
        explore(tune, output=tmp_path / "out", words=3)
