"""Recordings measured against others, with an embedder that hears bands of pitch: figures, pages, and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from band_ear import BandEar

from orchestrion.errors import InputError, OptionError, OutputError
from orchestrion.verbs import hearing
from orchestrion.verbs.evaluate import evaluate
from orchestrion.verbs.evaluate_sound import prompt_of

EAR = "bands"
RATE = 16000


@pytest.fixture(autouse=True)
def bands(monkeypatch):
    monkeypatch.setattr(hearing, "load_model", lambda name, device: BandEar())
    hearing.load_ear.cache_clear()
    yield
    hearing.load_ear.cache_clear()


def sounds(folder: Path, *, n=6, seed=0, rate=RATE, low=100, high=6000, seconds=2.0) -> Path:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    for number in range(n):
        wave = sum(rng.uniform(0.05, 0.2) * np.sin(2 * np.pi * rng.uniform(low, high) * time) for _ in range(3))
        soundfile.write(folder / f"{number}.wav", wave + rng.normal(0, 0.01, len(time)), rate, subtype="FLOAT")
    return folder


@pytest.fixture
def folders(tmp_path):
    return sounds(tmp_path / "made"), sounds(tmp_path / "known", seed=1)


def test_a_folder_against_itself_and_others(folders, tmp_path):
    made, known = folders
    same = evaluate(made, reference=made, system=EAR).report
    assert same.frechet.distance == pytest.approx(0, abs=1e-9)
    assert same.coverage.precision == same.coverage.recall == 1
    assert same.memorisation.shares[0.95] == 1
    other = evaluate(made, reference=known, system=EAR).report
    far = evaluate(sounds(tmp_path / "high", low=5000, high=7000), reference=known, system=EAR).report
    assert 0 < other.frechet.distance < far.frechet.distance
    assert (other.generated, other.reference) == (6, 6)
    assert other.frechet.generated == 24  # four windows of half a second each
    assert other.frechet_infinity.extrapolated
    assert other.text is None
    assert other.inception.n == 6
    assert other.waveforms is None and other.divergence is None


def test_report_is_written(folders, tmp_path, capsys):
    from orchestrion.cli.main import main

    made, known = folders
    output = tmp_path / "report"
    words = ["evaluate", str(made), "--reference", str(known), "--system", EAR, "-o", str(output)]
    assert main(words) == 0
    page = capsys.readouterr().out
    assert (output / "report.md").read_text() in page
    for part in ("FAD", "N = 24", "not extrapolated", "bands:1", "16000 Hz", "precision", "SIM_AA@90"):
        assert part in page
    held = json.loads((output / "report.json").read_text())
    assert held["report"]["frechet"]["settings"]["space"] == "bands:1"
    assert held["report"]["frechet"]["line"] is None
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["report"] == held["report"]


def test_pairs_are_compared_by_waveform(folders, tmp_path):
    made, _ = folders
    worse = tmp_path / "worse"
    worse.mkdir()
    rng = np.random.default_rng(5)
    for path in sorted(made.iterdir()):
        wave, rate = soundfile.read(path)
        noise = rng.normal(size=len(wave))
        noise *= 0.1 * np.linalg.norm(wave) / np.linalg.norm(noise)
        soundfile.write(worse / path.name, wave + noise, rate, subtype="FLOAT")
    report = evaluate(worse, reference=made, system=EAR, paired=True).report
    assert report.waveforms["snr"].mean == pytest.approx(20, abs=0.01)
    assert report.waveforms["si_sdr"].mean == pytest.approx(20, abs=0.2)
    assert report.waveforms["log_spectral_distance"].mean > 1
    assert report.waveforms["si_sdr"].n == 6
    assert report.divergence > 0
    with pytest.raises(InputError, match="equal names"):
        (tmp_path / "other").mkdir()
        for number, path in enumerate(sorted(made.iterdir())):
            (tmp_path / "other" / f"x{number}.wav").write_bytes(path.read_bytes())
        evaluate(tmp_path / "other", reference=made, system=EAR, paired=True)


def test_prompts_beside_the_sounds(folders):
    made, known = folders
    for number, path in enumerate(sorted(made.iterdir())):
        path.with_suffix(".json").write_text(json.dumps({"prompt": "a low tone" if number % 2 else "a high tone"}))
    report = evaluate(made, reference=known, system=EAR).report
    assert report.text.score.n == 6
    ear, wanted = BandEar(), []
    from orchestrion.media.audio import read_audio

    for path in sorted(made.glob("*.wav")):
        sound, text = ear.embed(read_audio(path)).vectors[0], ear.embed_text(prompt_of(path)).vectors[0]
        wanted.append(sound @ text / np.linalg.norm(sound))
    assert report.text.score.mean == pytest.approx(np.mean(wanted), abs=1e-5)
    (made / "0.json").write_text("not json")
    (made / "0.txt").write_text("a middle tone")
    assert prompt_of(made / "0.wav") is None
    (made / "0.json").unlink()
    assert prompt_of(made / "0.wav") == "a middle tone"


def test_rates_have_to_be_alike(folders, tmp_path):
    made, known = folders
    half = sounds(tmp_path / "half", rate=8000)
    with pytest.raises(InputError, match=r"8000 Hz and those in .*16000 Hz.*--rate"):
        evaluate(half, reference=known, system=EAR)
    alike = evaluate(half, reference=known, system=EAR, rate=8000).report
    assert alike.frechet.settings.sample_rate == 8000
    assert alike.frechet.settings.resampler == "soxr HQ"
    (half / "0.wav").write_bytes((made / "0.wav").read_bytes())
    with pytest.raises(InputError, match="unlike rates"):
        evaluate(half, reference=half, system=EAR)


def test_silence_counts_and_is_told(folders):
    made, known = folders
    before = evaluate(made, reference=known, system=EAR).report
    soundfile.write(made / "silent.wav", np.zeros(2 * RATE), RATE)
    result = evaluate(made, reference=known, system=EAR)
    assert result.silent == ("silent.wav",)
    assert result.report.generated == before.generated + 1
    assert result.report.frechet.distance > before.frechet.distance
    for path in made.iterdir():
        soundfile.write(path, np.zeros(RATE), RATE)
    with pytest.raises(InputError, match="silent"):
        evaluate(made, reference=known, system=EAR)


def test_files_that_cannot_be_read_are_listed(folders):
    made, known = folders
    (made / "text.wav").write_text("no sound")
    soundfile.write(made / "one.wav", np.ones(1), RATE)
    soundfile.write(made / "nan.wav", np.full(RATE, np.nan), RATE, subtype="FLOAT")
    result = evaluate(made, reference=known, system=EAR)
    assert {Path(path).name for path, _ in result.failures} == {"text.wav", "one.wav", "nan.wav"}
    assert result.report.generated == 6


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"reference": None}, InputError),
        ({"reference": "nowhere"}, InputError),
        ({"rate": 5}, OptionError),
        ({"hop": 0.0}, OptionError),
        ({"kind": "picture"}, OptionError),
        ({"kind": "score"}, OptionError),
        ({"output": "nowhere/deeper"}, OutputError),
    ],
)
def test_bad_options(folders, change, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind):
        evaluate(folders[0], **{"reference": folders[1], "system": EAR, **change})


def test_bad_folders(folders, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no sound"):
        evaluate(tmp_path / "empty", reference=folders[0], system=EAR)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.wav").write_text("no sound")
    with pytest.raises(InputError, match=r"a\.wav"):
        evaluate(tmp_path / "bad", reference=folders[0], system=EAR)
    short = sounds(tmp_path / "short", n=1, seconds=0.5)
    with pytest.raises(OptionError, match="at least two embeddings"):
        evaluate(short, reference=folders[0], system=EAR)


def test_scores_are_measured_as_before(tmp_path):
    import symusic

    made = symusic.Score(480)
    track = symusic.Track(program=0)
    for beat, pitch in enumerate((60, 64, 67, 72)):
        track.notes.append(symusic.Note(480 * beat, 480, pitch, 90))
    made.tracks.append(track)
    made.dump_midi(tmp_path / "tune.mid")
    sounds(tmp_path / "beside", n=1)
    assert evaluate(tmp_path).metrics["n_pitches"]["mean"] == 4  # a folder of both: scores
    with pytest.raises(OptionError, match="for recordings"):
        evaluate(tmp_path / "tune.mid", kind="score", rate=16000)
