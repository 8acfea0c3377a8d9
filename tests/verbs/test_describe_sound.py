"""`describe` of sound files: what is in them, and one sentence where nothing can be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from orchestrion.cli.main import main
from orchestrion.media.audio import Audio, write_audio
from orchestrion.verbs.describe import describe, is_sound
from orchestrion.verbs.sound_facts import caption, hear, maybe_sung


def loop(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    """Chords of C, Am, F and G on beats of half a second, the first of each bar louder."""
    keys = ((48, 60, 64, 67), (45, 57, 60, 64), (41, 57, 60, 65), (43, 59, 62, 67))
    wave = np.zeros(round(seconds * rate))
    for beat in range(int(seconds * 2)):
        time = np.arange(round(0.45 * rate)) / rate
        tones = [np.sin(2 * np.pi * 440 * 2 ** ((key - 69) / 12) * time) for key in keys[beat // 4 % 4]]
        hit = np.sum(tones, axis=0) * np.exp(-6 * time) * (0.2 if beat % 4 == 0 else 0.1)
        start = round((beat * 0.5 + 0.1) * rate)
        wave[start : start + len(hit)] += hit[: len(wave) - start]
    return np.tile(wave, (channels, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def song(tmp_path_factory) -> Path:
    return write_audio(Audio(loop(16, 44100, 2), 44100), tmp_path_factory.mktemp("song") / "song.wav")


def test_facts_caption_and_picture(song: Path, tmp_path) -> None:
    found = describe(song, picture=tmp_path / "song.png")
    facts = found.to_dict()
    assert facts["key"] == "C major" and "c major" in found.caption.lower()
    assert facts["tempo"] == pytest.approx(120, abs=3) or facts["tempo"] == pytest.approx(60, abs=2)
    assert facts["seconds"] == pytest.approx(16, abs=0.01) and facts["rate"] == 44100 and facts["channels"] == 2
    assert -40 < facts["loudness_lufs"] < -5 and facts["peak_db"] < 0
    assert facts["chords"][0]["start"] == 0 and facts["chords"][-1]["end"] == pytest.approx(16, abs=0.02)
    assert {"C", "F", "G"} <= {span["chord"][0] for span in facts["chords"]}
    assert facts["sections"][0]["start"] == 0
    assert set(facts["heard_by"]) >= {"beats", "chords"}
    assert Path(facts["picture"]).read_bytes().startswith(b"\x89PNG")
    assert describe(song).to_dict() == {name: value for name, value in facts.items() if name != "picture"}


def test_a_compound_metre_is_told_with_its_tempo_in_quarters(song: Path) -> None:
    from dataclasses import replace

    facts = hear(song)
    assert facts.beats is not None and facts.tempo is not None
    simple, compound = (replace(facts, beats=replace(facts.beats, beats_per_bar=2, triple=x)) for x in (False, True))
    assert (simple.metre, compound.metre) == ("2/4", "6/8")
    assert compound.tempo == pytest.approx(1.5 * simple.tempo)
    texts = {caption(compound, seed=seed) for seed in range(30)}
    assert any("6/8" in text or "compound" in text or "six" in text for text in texts)


def test_a_caption_of_sound_does_not_say_that_nobody_sings(song: Path) -> None:
    from dataclasses import replace

    facts = hear(song)
    for tags in ({}, {"genre": [("jazz", 0.9)]}, {"family": [("reed", 0.9), ("pipe", 0.8), ("drums", 0.8)]}):
        told = [caption(replace(facts, tags=tags), seed=seed) for seed in range(60)]
        assert not any("nstrumental" in text for text in told)
        assert len(set(told)) > 20
    assert told[0].endswith("Heard are reeds, flutes and drums.")
    assert maybe_sung("This instrumental is slow.") == "This piece is slow."


def test_command_line(song: Path, capsys) -> None:
    assert main(["describe", str(song), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["verb"] == "describe" and len(facts["beats"]) > 10
    assert main(["describe", str(song)]) == 0
    told = capsys.readouterr().out
    assert "key: C major" in told and "beats:" not in told and "chords:" in told


def test_drums_alone_have_beats_and_no_key_nor_chords(tmp_path, capsys) -> None:
    rate, rng = 22050, np.random.default_rng(0)
    wave = np.zeros(rate * 12)
    for beat in range(23):
        stroke = rng.standard_normal(rate // 8) * np.exp(-np.arange(rate // 8) / 700) * (0.5 if beat % 4 == 0 else 0.25)
        wave[beat * rate // 2 : beat * rate // 2 + len(stroke)] += stroke
    path = write_audio(Audio(wave[None].astype(np.float32), rate), tmp_path / "drums.wav")
    assert main(["describe", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["key"] is None and facts["chords"] == [] and len(facts["beats"]) > 8
    assert "chords" not in facts["heard_by"] and "major" not in facts["caption"] and "minor" not in facts["caption"]
    drawn = describe(path, picture=tmp_path / "drums.png").picture
    assert drawn is not None and drawn.is_file()


ODD = {
    "silence": (np.zeros((1, 24000)), 8000),
    "constant": (np.full((2, 48000), 0.5), 48000),
    "one sample": (np.full((1, 1), 0.5), 44100),
    "eight channels": (loop(4, 22050, 8), 22050),
    "8 kHz": (loop(4, 8000), 8000),
    "192 kHz": (loop(2, 192000), 192000),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_sounds_are_described(name: str, tmp_path) -> None:
    import soundfile

    samples, rate = ODD[name]
    soundfile.write(tmp_path / "odd.wav", samples.T, rate, subtype="FLOAT")
    facts = describe(tmp_path / "odd.wav", picture=tmp_path / "odd.svg").to_dict()
    assert facts["rate"] == rate and facts["channels"] == len(samples)
    json.dumps(facts, allow_nan=False)
    if name in ("silence", "constant", "one sample"):
        assert facts["caption"].startswith("Silence of") and facts["tempo"] is None and facts["beats"] == []
    else:
        assert facts["key"] == "C major"
    assert (facts["loudness_lufs"] is None) == (name == "silence")


def test_bad_files_end_in_one_sentence(tmp_path, capsys, monkeypatch) -> None:
    import soundfile

    monkeypatch.chdir(tmp_path)
    bad = np.zeros((1000, 1), np.float32)
    bad[3] = np.nan
    soundfile.write("nan.wav", bad, 8000, subtype="FLOAT")
    Path("film.mp4").write_bytes(b"\x00\x00\x00\x20ftypisom" + bytes(100))
    Path("text.wav").write_text("no sound at all\n" * 30)
    Path("header.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00")
    Path("none.flac").write_bytes(b"")
    for name in ("nan.wav", "film.mp4", "text.wav", "header.wav", "none.flac", "missing.mp3"):
        assert main(["describe", name, "-o", "out.png"]) == 2, name
        captured = capsys.readouterr()
        assert captured.out == "" and captured.err.strip().count("\n") == 0 and name in captured.err
    assert not Path("out.png").exists()
    assert main(["describe", "nan.wav", "-o", "out.gif"]) == 2
    assert ".gif" in capsys.readouterr().err


def test_the_content_tells_sound_from_scores(tmp_path) -> None:
    sound = write_audio(Audio(np.zeros((1, 800), np.float32), 8000), tmp_path / "a.wav")
    disguised = tmp_path / "a.mid"
    disguised.write_bytes(sound.read_bytes())
    assert is_sound(sound) and is_sound(disguised)
    score = tmp_path / "b.wav"
    score.write_bytes(b"MThd\x00\x00\x00\x06")
    assert not is_sound(score) and not is_sound(tmp_path / "missing.mid") and is_sound(tmp_path / "missing.wav")


def lone_tunes(count):
    """Melodies of held-out pieces, without the rest."""
    from orchestrion.data.corpus import load_corpus

    for piece in [piece for piece in load_corpus("compact", split="test", limit=40) if piece.melody is not None][
        :count
    ]:
        score = piece.score.copy()
        score.tracks = [score.tracks[piece.melody]]
        yield score


def played(score, program):
    from orchestrion.media.render import render

    score = score.copy()
    score.tracks[0].program = program
    return render(score)


def test_instruments_follow_what_plays(tmp_path) -> None:
    """The same tune by two families: the listener, and so the sentence, tells them apart."""
    *_, tune = lone_tunes(5)  # the first, higher than most, is taken for a pipe
    heard = {}
    for name, program in (("organ", 19), ("piano", 0)):
        found = describe(write_audio(played(tune, program), tmp_path / f"{name}.wav")).to_dict()
        assert found["heard_by"]["tags"] == "tag_listener"
        assert found["moods"]
        heard[name] = found
    assert "organ" in heard["organ"]["instruments"] and "organ" in heard["organ"]["caption"]
    assert "organ" not in heard["piano"]["instruments"]
    assert "piano" in heard["piano"]["instruments"]


def test_lone_tunes_of_two_families_are_mostly_told_apart() -> None:
    from orchestrion.systems.listeners.listener import WEIGHTS
    from orchestrion.systems.listeners.tags import TagListener

    listener = TagListener.load(WEIGHTS / "tag_listener.safetensors")
    right = {"organ": 0, "piano": 0}
    for tune in lone_tunes(8):
        for name, program in (("organ", 19), ("piano", 0)):
            right[name] += name in [tag for tag, _ in listener.tags(played(tune, program))["family"]]
    assert right["organ"] >= 6 and right["piano"] >= 4
