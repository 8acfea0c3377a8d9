"""Index and search on real files, with an embedder that hears bands of pitch: changes, refusals, and
what survives."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from band_ear import BandEar
from tiny_clap import write_tiny_clap

from orchestrion.errors import InputError, MissingDependencyError, OptionError, OutputError, PromptError
from orchestrion.verbs import hearing
from orchestrion.verbs import index as index_verb
from orchestrion.verbs.index import PLACE, index
from orchestrion.verbs.search import search

pytest.importorskip("lancedb")
EAR, CLAP = "bands", "clap:official"
RATE = 16000


@pytest.fixture(autouse=True)
def bands(monkeypatch):
    monkeypatch.setattr(hearing, "load_model", lambda name, device: BandEar())
    hearing.load_ear.cache_clear()
    yield
    hearing.load_ear.cache_clear()


@pytest.fixture
def music(tmp_path):
    folder = tmp_path / "music"
    (folder / "more").mkdir(parents=True)
    for name, hertz in (("low", 110), ("more/middle", 700), ("high's", 4000)):
        tone(folder / f"{name}.wav", hertz)
    return folder


def tone(path: Path, hertz: float, *, amplitude: float = 0.3) -> Path:
    time = np.arange(RATE) / RATE
    noise = np.random.default_rng(int(hertz)).normal(0, 0.02, RATE)
    soundfile.write(path, amplitude * (np.sin(2 * np.pi * hertz * time) + noise), RATE)
    return path


@pytest.fixture
def heard(monkeypatch):
    """Names of the files that are embedded."""
    names: list[str] = []
    real = index_verb.hear_one

    def listening(path, **options):
        names.append(path.name)
        return real(path, **options)

    monkeypatch.setattr(index_verb, "hear_one", listening)
    return names


def test_search_by_example_and_by_text(music):
    made = index(music, system=EAR)
    assert (made.files, made.added, made.changed, made.removed, made.unchanged) == (3, 3, 0, 0, 0)
    assert made.failures == ()
    for name in ("low.wav", "more/middle.wav", "high's.wav"):
        found = search(str(music / name), music)
        assert found.hits[0].path == music / name
        assert found.hits[0].similarity == pytest.approx(1, abs=1e-4)
        assert found.hits[1].similarity < found.hits[0].similarity
    for word, name in (("low", "low.wav"), ("middle", "more/middle.wav"), ("high", "high's.wav")):
        assert search(f"a {word} tone", music).hits[0].path == music / name
    by_text = search("a low tone", music / PLACE, n=2)
    assert len(by_text.hits) == 2 and by_text.system == EAR
    ear = hearing.load_ear(EAR)
    text = ear.read("a low tone")
    for hit in by_text.hits:
        vector = hearing.one_vector(ear.hear(hit.path), hit.path)
        assert hit.similarity == pytest.approx(float(text @ vector), abs=1e-4)
    assert by_text.hits[0].similarity >= by_text.hits[1].similarity
    assert by_text.hits[0].seconds == pytest.approx(1)
    assert json.loads(by_text.to_json())["hits"][0]["path"].endswith(".wav")


def test_only_what_changed_is_heard_again(music, heard):
    index(music, system=EAR)
    assert sorted(heard) == ["high's.wav", "low.wav", "middle.wav"]
    heard.clear()
    assert index(music, system=EAR).unchanged == 3
    assert heard == []
    (music / "low.wav").touch()  # another time, the same bytes
    touched = index(music, system=EAR)
    assert (heard, touched.unchanged, touched.changed) == ([], 3, 0)
    index(music, system=EAR)
    tone(music / "low.wav", 220)
    tone(music / "new.wav", 330)
    (music / "high's.wav").unlink()
    after = index(music, system=EAR)
    assert sorted(heard) == ["low.wav", "new.wav"]
    assert (after.files, after.added, after.changed, after.removed, after.unchanged) == (3, 1, 1, 1, 1)
    assert {hit.path.name for hit in search("x y", music).hits} == {"low.wav", "middle.wav", "new.wav"}
    assert search(music / "low.wav", music).hits[0].similarity == pytest.approx(1, abs=1e-4)


def test_files_that_cannot_be_heard_are_listed(music, heard):
    (music / "text.wav").write_text("this is no sound")
    (music / "empty.mp3").write_bytes(b"")
    soundfile.write(music / "silent.wav", np.zeros(RATE), RATE)
    soundfile.write(music / "one.wav", np.ones(1), RATE)
    soundfile.write(music / "nan.wav", np.full(RATE, np.nan), RATE, subtype="FLOAT")
    (music / "broken.mid").write_bytes(b"MThd\x00\x00\x00\x06")
    (music / "notes.txt").write_text("not music, not looked at")
    made = index(music, system=EAR)
    assert made.files == 3
    reasons = {Path(path).name: why for path, why in made.failures}
    assert set(reasons) == {"text.wav", "empty.mp3", "silent.wav", "one.wav", "nan.wav", "broken.mid"}
    assert "silent" in reasons["silent.wav"] and "short" in reasons["one.wav"] and "no numbers" in reasons["nan.wav"]
    for why in reasons.values():
        assert why.endswith(".") and "\n" not in why and "Error" not in why
    (music / "low.wav").write_text("no sound any more")
    after = index(music, system=EAR)
    assert (after.files, after.removed) == (2, 1)


def test_scores_are_found_as_they_sound(music):
    import symusic

    made = symusic.Score(480)
    track = symusic.Track(program=0)
    track.notes.append(symusic.Note(0, 960, 60, 90))
    made.tracks.append(track)
    made.dump_midi(music / "note.mid")
    assert index(music, system=EAR).files == 4
    assert search(music / "note.mid", music).hits[0].path == music / "note.mid"
    assert index(music, music.parent / "other", system=EAR, scores=False).files == 3


def test_a_killed_run_goes_on(music, heard, monkeypatch):
    monkeypatch.setattr(index_verb, "PART", 1)
    listening = index_verb.hear_one

    def dying(path, **options):
        if len(heard) == 2:
            raise KeyboardInterrupt
        return listening(path, **options)

    monkeypatch.setattr(index_verb, "hear_one", dying)
    with pytest.raises(KeyboardInterrupt):
        index(music, system=EAR)
    first = list(heard)
    assert len(first) == 2
    assert len(search("any music", music).hits) == 2  # what was finished can be searched
    monkeypatch.setattr(index_verb, "hear_one", listening)
    heard.clear()
    made = index(music, system=EAR)
    assert (made.files, made.added, made.unchanged) == (3, 1, 2)
    assert not set(heard) & set(first)


def test_other_weights_are_refused(music, monkeypatch):
    index(music, system=EAR)
    monkeypatch.setattr(hearing, "load_model", lambda name, device: BandEar("bands:2"))
    hearing.load_ear.cache_clear()
    with pytest.raises(OptionError, match="cannot be compared"):
        search("slow strings", music)
    with pytest.raises(OptionError, match="cannot be compared"):
        index(music, system=EAR)


def test_folder_can_be_moved_with_its_index(music):
    index(music, system=EAR)
    moved = music.rename(music.parent / "elsewhere")
    assert search("x y", moved).hits[0].path.is_file()
    assert index(moved, system=EAR).unchanged == 3
    outside = moved.parent / "index"
    assert index(moved, outside, system=EAR).folder == outside
    assert search("x y", outside).hits[0].path.is_file()
    with pytest.raises(OptionError, match="another with -o"):
        (moved.parent / "third").mkdir()
        tone(moved.parent / "third" / "a.wav", 100)
        index(moved.parent / "third", outside, system=EAR)


def test_bad_places(music, tmp_path):
    (tmp_path / "nothing").mkdir()
    for place, words in (("missing", "does not exist"), ("music/low.wav", "is a file"), ("nothing", "holds no music")):
        with pytest.raises(InputError, match=words):
            index(tmp_path / place, system=EAR)
    assert not (tmp_path / "nothing" / PLACE).exists()
    for blocked in (music / "low.wav" / "index", Path("/proc/index")):
        with pytest.raises(OutputError, match="-o"):
            index(music, blocked, system=EAR)
    with pytest.raises(InputError, match="orchestrion index"):
        search("any", tmp_path)
    soundfile.write(tmp_path / "nothing" / "silent.wav", np.zeros(RATE), RATE)
    with pytest.raises(InputError, match="silent"):
        index(tmp_path / "nothing", system=EAR)


def test_bad_queries(music):
    index(music, system=EAR)
    soundfile.write(music.parent / "silent.wav", np.zeros(RATE), RATE)
    (music.parent / "text.wav").write_text("no sound")
    for query, kind in (
        ("", PromptError),
        ("  ", PromptError),
        ("x" * 3000, PromptError),
        ("missing.wav", InputError),
        (music.parent / "silent.wav", InputError),
        (music.parent / "text.wav", InputError),
    ):
        with pytest.raises(kind):
            search(query, music)
    for n in (0, 100_000):
        with pytest.raises(OptionError):
            search("x", music, n=n)
    with pytest.raises(OptionError, match="index again with --system clmr"):
        search("x", music, system="clmr")


@pytest.mark.parametrize("damage", ["not json", '{"format": 99, "root": ".", "spaces": []}', "{}", "tables"])
def test_damaged_index(music, damage):
    index(music, system=EAR)
    if damage == "tables":
        for path in (music / PLACE / "tables").rglob("*"):
            if path.is_file():
                path.write_bytes(b"rubbish")
    else:
        (music / PLACE / "index.json").write_text(damage)
    for work in (lambda: search("x", music), lambda: index(music, system=EAR)):
        with pytest.raises(InputError, match="index again"):
            work()
    shutil.rmtree(music / PLACE)
    assert index(music, system=EAR).files == 3


def test_nothing_is_left_where_the_embedder_is_missing(music, monkeypatch):
    def missing(name, device):
        raise OptionError("There is none.")

    monkeypatch.setattr(hearing, "load_model", missing)
    with pytest.raises(OptionError):
        index(music, system=EAR)
    assert not (music / PLACE).exists()


def test_lancedb_is_asked_for(music, monkeypatch):
    monkeypatch.setitem(sys.modules, "lancedb", None)
    with pytest.raises(MissingDependencyError, match=r"orchestrion\[search\]"):
        index(music, system=EAR)


def test_commands(music, capsys):
    from orchestrion.cli.main import main

    assert main(["index", str(music), "--system", EAR]) == 0
    assert "3 files" in capsys.readouterr().out
    assert main(["search", "low hum", "--index", str(music), "--n", "1", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["hits"]) == 1
    assert main(["search", "low hum", "--index", str(music)]) == 0
    assert capsys.readouterr().out.count(".wav") == 3
    for words in (["index", "nowhere"], ["search", "x", "--index", "nowhere"], ["index", str(music), "--workers", "0"]):
        assert main(words) == 2
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.slow  # processes that import torch
def test_workers_and_a_kill(music, tmp_path):
    import os

    told = {**os.environ, "ORCHESTRION_OFFICIAL_CLAP": str(write_tiny_clap(tmp_path / "clap"))}
    for number in range(30):
        tone(music / f"{number}.wav", 100 + 50 * number)
    command = [sys.executable, "-m", "orchestrion", "index", str(music), "--system", CLAP, "--workers", "2", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=told)
    journal = music / PLACE / "heard.journal"
    while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") > 5):
        pass
    process.kill()
    process.wait()
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=told)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files"] == 33
    assert not journal.exists()
