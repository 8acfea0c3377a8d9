"""The verbs over folders of files: what is written, what is listed, what is left behind."""

import json
from pathlib import Path

import pretty_midi
import pyarrow.parquet as pq
import pytest
import symusic

from orchestrion.errors import InputError, MissingDependencyError, OptionError
from orchestrion.media.audio import read_audio
from orchestrion.verbs.data_caption import data_caption
from orchestrion.verbs.data_prepare import data_prepare
from orchestrion.verbs.data_render import data_render

SOUNDFONT = Path(pretty_midi.__file__).with_name("TimGM6mb.sf2")


@pytest.fixture
def folder(tmp_path):
    """Two scores in two folders, and a file that is none."""
    root = tmp_path / "scores"
    (root / "sub").mkdir(parents=True)
    for path, program in ((root / "one.mid", 0), (root / "sub" / "two.mid", 73)):
        score = symusic.Score(480)
        score.tempos.append(symusic.Tempo(0, 120))
        track = symusic.Track("lead", program)
        for quarter, pitch in enumerate((60, 64, 67, 72)):
            track.notes.append(symusic.Note(480 * quarter, 480, pitch, 100))
        score.tracks.append(track)
        score.dump_midi(path)
    (root / "bad.mid").write_bytes(b"MThd\x00\x00")
    (root / "notes.txt").write_text("no score")
    return root


def test_a_folder_is_rendered_to_the_same_places(folder, tmp_path):
    out = tmp_path / "sound"
    left = out / "sub" / ".orchestrion-left"
    left.mkdir(parents=True)  # by a worker that was killed
    seen = []
    done = data_render(
        folder, out, format="wav", soundfont=SOUNDFONT, stems=True, workers=1, progress=lambda *at: seen.append(at)
    )
    assert (done.folder, done.rendered) == (out, 2)
    assert [path for path, _ in done.failures] == [str(folder / "bad.mid")]
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert files == [
        "one.mid-stems/01-lead.wav",
        "one.mid.wav",
        "sub/two.mid-stems/01-lead.wav",
        "sub/two.mid.wav",
    ]
    assert not left.exists()
    assert (seen[0], seen[-1]) == ((0, 3), (3, 3))
    sound = read_audio(out / "one.mid.wav")
    assert sound.samples.shape[0] == 2
    assert 2.0 < sound.samples.shape[1] / sound.rate < 8.0
    assert abs(sound.samples).max() > 0.05
    assert json.loads(done.to_json())["rendered"] == 2


def test_a_folder_is_captioned_by_the_verb(folder, tmp_path):
    done = data_caption(folder, tmp_path / "captions.parquet", workers=1, seed=3)
    assert (done.rows, [name for name, _ in done.failures]) == (2, ["bad.mid"])
    rows = pq.read_table(done.file).to_pylist()
    assert [row["location"] for row in rows] == ["one.mid", "sub/two.mid"]
    assert [row["instrument_summary"] for row in rows] == [["Piano"], ["Flute"]]
    assert all(row["tempo"] == 120 and row["genre"] for row in rows)


def test_what_cannot_be_done_is_said_first(folder, tmp_path):
    out = tmp_path / "sound"
    with pytest.raises(OptionError, match="sound format"):
        data_render(folder, out, format="aiff")
    with pytest.raises(OptionError, match="--workers"):
        data_render(folder, out, workers=0)
    with pytest.raises(OptionError, match="--workers"):
        data_caption(folder, tmp_path / "c.parquet", workers=0)
    with pytest.raises(OptionError, match="--limit"):
        data_prepare(tmp_path, limit=0)
    with pytest.raises(InputError, match="no folder"):
        data_render(tmp_path / "none", out)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no score"):
        data_render(tmp_path / "empty", out)
    assert not out.exists()


def test_the_corpus_needs_its_arranger(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="MMA"):
        data_prepare(tmp_path / "corpus")
