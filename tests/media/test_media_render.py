"""Rendering, measured on a SoundFont whose sound is known: one looped sine."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from symusic import ControlChange, Note, PitchBend, Score, Tempo, Track

from orchestrion.errors import InputError, OptionError
from orchestrion.media.loudness import limiter_gain, loudness, mastering_gain, true_peaks
from orchestrion.media.render import find_soundfont, render, render_stems
from orchestrion.media.soundfont import VARIABLE, read_soundfont
from orchestrion.media.stage import track_names

RATE = 22050
PERIOD = 100  # samples of one wave, so that key 69 sounds at 440 Hz from a rate of 44000


def chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def sine_soundfont(*, release: int = -3986, root: int = 69) -> bytes:
    """One preset, one instrument, one looped sample; `release` in timecents (-3986: 0.1 s)."""
    wave = (np.sin(2 * np.pi * np.arange(PERIOD * 40) / PERIOD) * 20000).astype("<i2")
    samples = wave.tobytes() + bytes(92)
    generators = [(38, release), (54, 1), (53, 0)]
    inst_gens = b"".join(struct.pack("<Hh", *one) for one in generators)
    pdta = (
        chunk(b"phdr", b"".join(struct.pack("<20sHHHIII", b"Sine", 0, 0, bag, 0, 0, 0) for bag in (0, 1)))
        + chunk(b"pbag", struct.pack("<HHHH", 0, 0, 1, 0))
        + chunk(b"pmod", bytes(10))
        + chunk(b"pgen", struct.pack("<HHHH", 41, 0, 0, 0))
        + chunk(b"inst", struct.pack("<20sH", b"Sine", 0) + struct.pack("<20sH", b"", 1))
        + chunk(b"ibag", struct.pack("<HHHH", 0, 0, len(generators), 0))
        + chunk(b"imod", bytes(10))
        + chunk(b"igen", inst_gens + bytes(4))
        + chunk(
            b"shdr",
            struct.pack("<20sIIIIIBbHH", b"Sine", 0, len(wave), PERIOD, PERIOD * 39, 44000, root, 0, 0, 1) + bytes(46),
        )
    )  # fmt: skip
    body = b"sfbk" + chunk(b"LIST", b"INFO" + chunk(b"ifil", struct.pack("<HH", 2, 1)))
    return chunk(b"RIFF", body + chunk(b"LIST", b"sdta" + chunk(b"smpl", samples)) + chunk(b"LIST", b"pdta" + pdta))


@pytest.fixture(scope="module")
def sine(tmp_path_factory):
    path = tmp_path_factory.mktemp("font") / "sine.sf2"
    path.write_bytes(sine_soundfont())
    return path


def piece(*notes, controls=(), bends=(), tempo=120.0) -> Score:
    score = Score(480)
    score.tempos.append(Tempo(0, tempo))
    track = Track(program=0)
    for note in notes or ((0, 960, 69, 100),):
        track.notes.append(Note(*note))
    for control in controls:
        track.controls.append(ControlChange(*control))
    for bend in bends:
        track.pitch_bends.append(PitchBend(*bend))
    score.tracks.append(track)
    return score


def dry(score: Score, font, **options):
    return render(score, soundfont=font, rate=RATE, target=None, room=0.0, **options).samples


def strength(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


def pitch_of(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 17))
    return float(spectrum.argmax() * RATE / (1 << 17))


@pytest.mark.parametrize(("key", "hertz"), [(57, 220.0), (69, 440.0), (76, 659.26), (93, 1760.0)])
def test_keys_sound_at_their_pitch(sine, key, hertz):
    assert pitch_of(dry(piece((0, 960, key, 100)), sine)[0, :20000]) == pytest.approx(hertz, rel=1e-3)


def test_notes_begin_and_end_in_time(sine):
    sound = np.abs(dry(piece((480, 480, 69, 100), tempo=60), sine)[0])  # from 1 s to 2 s
    heard = np.flatnonzero(sound > 1e-3)
    assert heard[0] / RATE == pytest.approx(1.0, abs=0.003)
    assert 2.0 < heard[-1] / RATE < 2.12  # the release takes a tenth of a second
    assert len(sound) / RATE >= 2.0


def test_louder_keys_are_louder(sine):
    levels = [strength(dry(piece((0, 960, 69, velocity)), sine)) for velocity in (127, 90, 45)]
    assert levels[1] / levels[0] == pytest.approx((90 / 127) ** 2, rel=0.02)
    assert levels[2] / levels[0] == pytest.approx((45 / 127) ** 2, rel=0.02)


def test_volume_expression_and_pan(sine):
    plain = dry(piece(), sine)
    assert strength(plain[0]) == pytest.approx(strength(plain[1]), rel=1e-3)
    for number, default in ((7, 100), (11, 127)):
        softer = dry(piece(controls=[(0, number, default // 2)]), sine)
        assert strength(softer) / strength(plain) == pytest.approx((default // 2 / default) ** 2, rel=0.02)
    left = dry(piece(controls=[(0, 10, 0)]), sine)
    assert strength(left[1]) < 1e-3 * strength(left[0])
    assert strength(left[0]) == pytest.approx(np.sqrt(2) * strength(plain[0]), rel=0.02)
    fading = dry(piece((0, 1920, 69, 100), controls=[(0, 7, 100), (960, 7, 0)]), sine)[0]
    assert strength(fading[RATE + 500 : 2 * RATE]) < 1e-3 * strength(fading[:RATE])


def test_pitch_bends_and_their_range(sine):
    up = dry(piece((0, 1920, 69, 100), bends=[(960, 8191)]), sine)[0]
    assert pitch_of(up[: RATE - 100]) == pytest.approx(440, rel=2e-3)
    assert pitch_of(up[RATE + 100 : 2 * RATE]) == pytest.approx(440 * 2 ** (2 / 12), rel=2e-3)
    wide = [(0, 101, 0), (0, 100, 0), (0, 6, 12)]
    far = dry(piece((0, 1920, 69, 100), bends=[(0, 8191)], controls=wide), sine)[0]
    assert pitch_of(far[: 2 * RATE - 100]) == pytest.approx(880, rel=2e-3)


def test_the_sustain_pedal_holds(sine):
    held = dry(piece((0, 240, 69, 100), controls=[(0, 64, 127), (1920, 64, 0)]), sine)[0]
    assert strength(held[int(1.8 * RATE) : int(1.95 * RATE)]) > 0.5 * strength(held[: RATE // 5])
    free = dry(piece((0, 240, 69, 100)), sine)[0]
    assert len(free) < RATE


def test_loudness_and_no_clipping(sine):
    loud = piece(*[(0, 1920, key, 127) for key in range(50, 80, 3)])
    sound = render(loud, soundfont=sine, rate=RATE)
    assert loudness(sound.samples, RATE) == pytest.approx(-16, abs=0.3)
    clicks = piece(*[(beat * 480, 20, 90, 127) for beat in range(4)], (0, 1920, 45, 10))
    for score in (loud, clicks):
        sound = render(score, soundfont=sine, rate=RATE)
        assert 20 * np.log10(true_peaks(sound.samples).max()) <= -0.95
    quiet = render(piece((0, 960, 69, 3)), soundfont=sine, rate=RATE)
    assert loudness(quiet.samples, RATE) == pytest.approx(-16, abs=0.3)


def test_stems_sum_to_the_mix(sine):
    score = Score(480)
    for number, key in enumerate((48, 60, 72)):
        track = Track(program=8 * number + 20, name="Lead" if number < 2 else "")
        track.notes.append(Note(480 * number, 960, key, 127))
        score.tracks.append(track)
    score.tracks.append(Track(name="Silent"))
    stems = render_stems(score, soundfont=sine, rate=RATE)
    assert list(stems) == ["Lead", "Lead 2", "Slap Bass 1"]
    mix = render(score, soundfont=sine, rate=RATE)
    assert {stem.samples.shape for stem in stems.values()} == {mix.samples.shape}
    assert np.abs(sum(stem.samples for stem in stems.values()) - mix.samples).max() < 1e-5
    assert strength(stems["Lead"].samples[:, : RATE // 4]) > 0.01
    assert strength(stems["Lead 2"].samples[:, : RATE // 4]) < 1e-4


def test_the_room_rings_on_and_is_the_same_each_time(sine):
    wet = [render(piece(), soundfont=sine, rate=RATE, room=0.5, target=None).samples for _ in range(2)]
    assert np.array_equal(*wet)
    assert wet[0].shape[1] > dry(piece(), sine).shape[1] + RATE // 4
    assert not np.array_equal(wet[0][0], wet[0][1])


def test_silence_and_the_shortest_pieces(sine):
    silent = render(Score(480), soundfont=sine, rate=RATE)
    assert silent.samples.shape == (2, 0)
    short = render(piece((0, 1, 69, 100)), soundfont=sine, rate=RATE)
    assert 0 < short.seconds < 2
    assert np.isfinite(short.samples).all()
    assert np.abs(short.samples).max() <= 1
    assert not render(piece((0, 480, 69, 0)), soundfont=sine, rate=RATE).samples.any()


def test_too_long_and_out_of_range(sine):
    with pytest.raises(InputError, match="180 minutes"):
        render(piece((480 * 2 * 3600 * 3 - 1, 1, 60, 90)), soundfont=sine)
    for options in ({"rate": 10}, {"room": 2.0}):
        with pytest.raises(OptionError):
            render(piece(), soundfont=sine, **options)


def test_many_voices_end_in_time(sine):
    crowd = render(piece(*[(0, 4800, 30 + n % 60, 90) for n in range(3000)]), soundfont=sine, rate=RATE)
    assert np.isfinite(crowd.samples).all()


def test_the_search_for_a_soundfont(tmp_path, sine, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("orchestrion.media.soundfont.FOLDERS", (str(tmp_path),))
    shipped = find_soundfont()
    assert shipped.name == "TimGM6mb.sf2"
    (tmp_path / "Only_Piano.sf2").write_bytes(sine.read_bytes())
    assert find_soundfont() == shipped  # not General MIDI
    general = tmp_path / "FluidR3_GM.sf2"
    general.write_bytes(sine.read_bytes())
    assert find_soundfont() == general
    monkeypatch.setenv(VARIABLE, str(sine))
    assert find_soundfont() == sine
    assert find_soundfont(general) == general
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone.sf2"))
    with pytest.raises(InputError, match=VARIABLE):
        find_soundfont()
    with pytest.raises(InputError, match="no file"):
        find_soundfont(tmp_path / "gone.sf2")


def test_damaged_soundfonts_get_a_sentence(tmp_path):
    whole = sine_soundfont()
    rng = np.random.default_rng(0)
    damaged = {"text": b"no SoundFont" * 100, "cut": whole[: len(whole) // 2], "head": whole[:12]}
    for number in range(60):  # in its tables, which lie at the end
        bytes_ = bytearray(whole)
        for place in rng.integers(len(whole) - 380, len(whole), 8):
            bytes_[place] = rng.integers(256)
        damaged[f"flipped {number}"] = bytes(bytes_)
    refused = 0
    for name, content in damaged.items():
        path = tmp_path / f"{name}.sf2"
        path.write_bytes(content)
        try:
            assert np.isfinite(dry(piece((0, 100, 69, 100)), path)).all()
        except InputError as error:
            refused += 1
            assert "\n" not in str(error)
            assert path.name in str(error)
    assert refused >= 3


def test_the_found_soundfont_plays_all_programs_and_drums():
    font = read_soundfont(find_soundfont())
    for program in range(0, 128, 7):
        assert font.zones(program)
    assert any(zone.serves(38, 100) for zone in font.zones(0, is_drum=True))
    kit = Score(480)
    kit.tracks.append(Track(is_drum=True))
    kit.tracks[0].notes.append(Note(0, 60, 38, 100))
    assert np.abs(render(kit, rate=RATE).samples).max() > 0.1


def test_limiter_holds_its_ceiling_smoothly():
    peaks = np.full(8000, 0.2, np.float32)
    peaks[4000] = 2.0
    gain = limiter_gain(peaks, 8000, ceiling=0.5)
    assert (peaks * gain <= 0.5 + 1e-6).all()
    assert gain[4000] == pytest.approx(0.25, rel=1e-3)
    assert gain[3000] == gain[5000] == 1
    assert np.abs(np.diff(gain)).max() < 0.01


def test_loudness_of_a_known_tone():
    # BS.1770: a sine of 997 Hz at full scale in one channel measures -3.01 LUFS.
    tone = np.sin(2 * np.pi * 997 * np.arange(48000 * 2) / 48000).astype(np.float32)
    assert loudness(np.stack([tone, np.zeros_like(tone)]), 48000) == pytest.approx(-3.01, abs=0.05)
    assert loudness(np.zeros((2, 48000), np.float32), 48000) == -np.inf
    assert (mastering_gain(np.zeros((2, 100), np.float32), 48000) == 1).all()


def test_true_peaks_lie_between_samples():
    # A quarter of the rate, sampled off its tops: the samples reach 0.707 only.
    wave = np.sin(np.pi / 2 * np.arange(4000) + np.pi / 4).astype(np.float32)
    assert np.abs(wave).max() == pytest.approx(0.7071, abs=1e-3)
    assert true_peaks(wave[None])[1000:3000].max() == pytest.approx(1.0, abs=0.02)


def test_track_names_differ_and_are_printable():
    named = [Track(name="Lead"), Track(name="Lead"), Track(name="a\nb\0"), Track(program=40), Track(is_drum=True)]
    assert track_names(named) == ["Lead", "Lead 2", "a b", "Violin", "Drums"]
