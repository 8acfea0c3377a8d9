"""What is heard in sounds whose answer is known, and in sounds that hold nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from orchestrion.analysis.audio_chords import find_audio_chords
from orchestrion.analysis.audio_chroma import averaged, chroma_of
from orchestrion.analysis.audio_key import find_audio_key
from orchestrion.analysis.audio_structure import find_sections
from orchestrion.analysis.beats import find_bars, track_beats
from orchestrion.analysis.dynamics import dynamics_curve
from orchestrion.analysis.harmonic_share import UNPITCHED, harmonic_share
from orchestrion.analysis.long_sound import in_windows
from orchestrion.analysis.melody import high_pass, melody_classes, pitch_contour
from orchestrion.analysis.onsets import find_onsets
from orchestrion.errors import OptionError
from orchestrion.media.audio import Audio
from orchestrion.theory.chords import Chord
from orchestrion.theory.keys import Key

RATE = 22050
HOLLOW = {
    "silence": np.zeros((1, RATE * 3)),
    "constant": np.full((2, RATE * 3), 0.5),
    "one sample": np.full((1, 1), 0.7),
    "few samples": np.ones((8, 30)),
}


def tone(hertz: float, seconds: float, *, rate: int = RATE, decay: float = 0.0) -> np.ndarray:
    """A tone with four partials."""
    time = np.arange(round(seconds * rate)) / rate
    wave = sum(np.sin(2 * np.pi * hertz * k * time) / k**1.5 for k in range(1, 5))
    return 0.2 * wave * np.exp(-decay * time)


def chord(keys: list[int], seconds: float, *, decay: float = 0.0) -> np.ndarray:
    return sum(tone(440 * 2 ** ((key - 69) / 12), seconds, decay=decay) for key in keys) / len(keys)  # type: ignore[return-value]


def sound(wave: np.ndarray, rate: int = RATE) -> Audio:
    return Audio(np.atleast_2d(wave).astype(np.float32), rate)


PROGRESSION = [
    ("C:maj", [48, 60, 64, 67]),
    ("A:min", [45, 57, 60, 64]),
    ("F:maj", [41, 57, 60, 65]),
    ("G:maj", [43, 59, 62, 67]),
]


@pytest.fixture(scope="module")
def song() -> Audio:
    """C, Am, F, G, a second each, twice, and C."""
    return sound(np.concatenate([chord(keys, 1.0) for _, keys in [*PROGRESSION, *PROGRESSION, PROGRESSION[0]]]))


def test_key_and_chords(song: Audio) -> None:
    found = find_audio_key(song)
    assert found is not None and found.key == Key.parse("C major") and found.score > 0.7 and found.margin > 0
    spans = find_audio_chords(song)
    assert spans[0].start == 0 and spans[-1].end == pytest.approx(song.seconds)
    assert [b.start for b in spans[1:]] == [a.end for a in spans[:-1]]
    for index, (name, _) in enumerate(PROGRESSION):
        middle = index + 0.5
        heard = next(span.chord for span in spans if span.start <= middle < span.end)
        assert heard == Chord.parse(name), f"{heard} for {name}"


def test_a_transposed_sound_has_the_transposed_key_at_any_rate_and_level() -> None:
    wave = np.concatenate([chord([key + 3 for key in keys], 0.6) for _, keys in [*PROGRESSION, PROGRESSION[0]]])
    for audio in (sound(wave), sound(0.02 * wave).resample(48000), sound(np.stack([wave, 0 * wave]))):
        found = find_audio_key(audio)
        assert found is not None and found.key == Key.parse("Eb major")


def clicks(bpm: float, seconds: float, *, bar: int) -> tuple[Audio, np.ndarray]:
    """Short chords on beats, another and louder one with each bar."""
    beats = np.arange(0.2, seconds - 0.3, 60 / bpm)
    wave = np.zeros(round(seconds * RATE))
    for index, beat in enumerate(beats):
        first = index % bar == 0
        keys = PROGRESSION[(index // bar) % 4][1]
        hit = chord(keys, 0.25, decay=12) * (1.0 if first else 0.4)
        start = round(beat * RATE)
        wave[start : start + len(hit)] += hit
    return sound(wave), beats


@pytest.mark.parametrize(("bpm", "bar"), [(100, 4), (132, 3)])
def test_beats_bars_and_tempo(bpm: float, bar: int) -> None:
    import mir_eval

    audio, beats = clicks(bpm, 16, bar=bar)
    found = track_beats(audio)
    assert mir_eval.beat.f_measure(mir_eval.beat.trim_beats(beats), mir_eval.beat.trim_beats(found.times)) > 0.9
    assert found.tempo == pytest.approx(bpm, rel=0.03)
    assert found.beats_per_bar == bar
    downbeats = mir_eval.beat.trim_beats(beats[::bar])
    assert mir_eval.beat.f_measure(downbeats, mir_eval.beat.trim_beats(found.downbeats)) > 0.9


def test_bars_stand_out() -> None:
    accents = np.tile([0.2, 1.0, 0.3], 6)
    assert find_bars(accents) == (3, 1)
    assert find_bars(np.zeros(0), beats_per_bar=(4, 3)) == (4, 0)


def test_onsets_are_where_notes_begin() -> None:
    times = [0.5, 1.1, 1.4, 2.3]
    wave = np.zeros(3 * RATE)
    for start in times:
        note = tone(440, 0.25, decay=25)
        wave[round(start * RATE) : round(start * RATE) + len(note)] += note
    found = find_onsets(sound(wave))
    assert len(found.times) == 4 and np.abs(found.times - times).max() < 0.05
    assert found.strengths.max() == pytest.approx(1.0)


def test_pitch_follows_a_tune_and_rests() -> None:
    wave = np.concatenate([tone(220, 0.6), np.zeros(round(0.4 * RATE)), tone(329.6, 0.6)])
    contour = pitch_contour(sound(wave), f_min=110.0, f_max=880.0)
    at = lambda second: contour.hertz[np.abs(contour.times - second).argmin()]  # noqa: E731
    assert at(0.3) == pytest.approx(220, rel=0.01) and at(1.3) == pytest.approx(329.6, rel=0.01)
    assert not contour.voiced[np.abs(contour.times - 0.8).argmin()]
    assert len(contour.times) == len(contour.hertz) == len(contour.certainty)
    with pytest.raises(OptionError, match="5500"):
        pitch_contour(sound(wave), f_min=500.0, f_max=100.0)


def test_melody_control_hears_the_tune_above_the_bass() -> None:
    wave = 0.9 * np.sin(2 * np.pi * 98.0 * np.arange(RATE) / RATE) + 0.1 * np.sin(
        2 * np.pi * 523.3 * np.arange(RATE) / RATE
    )
    classes = melody_classes(sound(wave), n_fft=4096)
    assert (classes[10:-10] == 0).all()  # C5 over G2


def test_high_pass_halves_the_power_at_its_frequency() -> None:
    from scipy.signal import freqz

    _, response = freqz(*high_pass(261.2, RATE), worN=[261.2, 20.0, 8000.0], fs=RATE)
    assert np.abs(response) == pytest.approx([0.5**0.5, 0.0058, 1.0], abs=2e-3)


def test_dynamics_follow_a_swell_in_decibels() -> None:
    level = np.concatenate([np.full(3 * RATE, 0.01), np.full(3 * RATE, 0.1)])
    curve = dynamics_curve(sound(level * np.sin(2 * np.pi * 440 * np.arange(6 * RATE) / RATE)))
    low, high = curve.decibels[curve.times < 2].mean(), curve.decibels[curve.times > 4].mean()
    assert high - low == pytest.approx(20, abs=0.1)
    assert dynamics_curve(sound(np.zeros(RATE))).decibels.max() == pytest.approx(-160)


def test_sections_change_where_the_music_does() -> None:
    rng = np.random.default_rng(0)
    calm = np.concatenate([chord([60, 64, 67], 1.0) for _ in range(20)])
    wild = np.concatenate([0.3 * chord([54, 58, 61], 1.0) + 0.05 * rng.normal(size=RATE) for _ in range(20)])
    sections = find_sections(sound(np.concatenate([calm, wild, calm])))
    assert [part.label for part in sections] == ["A", "B", "A"]
    assert [part.end for part in sections] == pytest.approx([20, 40, 60], abs=1.0)
    moved = find_sections(sound(np.concatenate([calm, wild, calm])), edges=np.array([18.5, 40.25]))
    assert [part.end for part in moved] == pytest.approx([18.5, 40.25, 60])


@pytest.mark.filterwarnings("ignore:n_fft")
@pytest.mark.parametrize("name", HOLLOW)
def test_nothing_is_heard_where_nothing_is(name: str) -> None:
    audio = sound(HOLLOW[name])
    assert len(track_beats(audio).times) <= 1
    assert track_beats(audio).tempo is None
    sections = find_sections(audio)
    assert [part.label for part in sections] == ["A"] and sections[0].end == pytest.approx(audio.seconds)
    assert len(find_audio_chords(audio)) == 1
    assert np.isfinite(dynamics_curve(audio).decibels).all()
    assert len(find_onsets(audio).times) <= 1
    if name == "silence":
        assert find_audio_key(audio) is None
        assert find_audio_chords(audio)[0].chord.root is None
        assert not chroma_of(audio).any()
    if name != "constant":  # three seconds of it take a second
        assert not pitch_contour(audio, f_min=200.0, f_max=800.0).voiced.any()


def test_means_between_edges() -> None:
    values = np.arange(10.0)[None]
    assert averaged(values, np.array([0, 0.2, 0.5, 0.5, 1.0]), frame_rate=10).tolist() == [[0.5, 3.0, 5.0, 7.0]]


def test_long_sound_is_heard_as_one() -> None:
    from orchestrion.analysis.spectra import librosa_mel

    mel = librosa_mel(hop_length=512)
    wave = np.random.default_rng(0).normal(size=100_001).astype(np.float32)
    whole = mel(torch.from_numpy(wave)[None])[0].numpy()
    for step in (512 * 3, 20_000, 99_840, 200_000):
        np.testing.assert_allclose(in_windows(mel, wave, hop_length=512, step=step, margin=2048), whole, rtol=1e-4)


def test_the_share_of_what_lasts_tells_tones_from_strokes() -> None:
    rate, rng = 22050, np.random.default_rng(0)
    time = np.arange(rate * 30) / rate
    tone = 0.3 * np.sin(2 * np.pi * 440 * time)
    strokes = rng.standard_normal(len(time)) * (time % 0.5 < 0.02)
    shares = [
        harmonic_share(Audio(wave[None].astype(np.float32), rate))
        for wave in (tone, tone + 0.3 * strokes, strokes, np.zeros(10), tone[:100])
    ]
    assert shares[0] > 0.95 and shares[0] > shares[1] > shares[2] and shares[2] < UNPITCHED
    assert shares[3] == 0 and 0 <= shares[4] <= 1
    loud = harmonic_share(Audio((10 * tone)[None].astype(np.float32), 2 * rate))
    assert loud == pytest.approx(shares[0], abs=0.05)
