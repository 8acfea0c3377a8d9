"""Rendered clips: the same by index; labels are true of the notes and of the sound; every option has its effect."""

import pickle

import numpy as np
import pytest
import symusic

from orchestrion.data.audio_factory import AudioFactory, ClipLabels, choose_pieces
from orchestrion.data.audio_tags import family, multi_hot, tag_names
from orchestrion.data.corpus import load_corpus
from orchestrion.data.excerpt import Form, take_excerpt
from orchestrion.data.held_clips import to_float, to_int16
from orchestrion.data.piece import Piece
from orchestrion.errors import InputError, OptionError
from orchestrion.theory.chords import Chord, ChordSpan
from orchestrion.theory.keys import Key

RATE = 8000


@pytest.fixture(scope="module")
def pieces():
    return choose_pieces(load_corpus(split="train", limit=400), count=6, seed=3)


@pytest.fixture(scope="module")
def rich(pieces):
    return AudioFactory(
        pieces, rate=RATE, seconds=3, channels=2, programs="any", speed=(0.8, 1.25), transpose=(-5, 6), stems=True,
        velocity=(0.6, 1.1), velocity_noise=5, balance_db=3, room=(0.1, 0.4), level_db=(-12, -1), start="any", seed=5,
    )  # fmt: skip


def piece_of(quarters=8, tempo=120.0, melody=0):
    """Two bars and more of one note a quarter, with drums, in 4/4."""
    score = symusic.Score(480)
    score.tempos.append(symusic.Tempo(0, tempo))
    score.time_signatures.append(symusic.TimeSignature(0, 4, 4))
    for name, program, drum in (("lead", 0, False), ("low", 32, False), ("beat", 0, True)):
        track = symusic.Track(name, program, drum)
        for quarter in range(quarters):
            pitch = 38 if drum else 60 + quarter - 24 * (name == "low")
            track.notes.append(symusic.Note(480 * quarter, 480, pitch, 90))
        score.tracks.append(track)
    chords = [ChordSpan(0, 4, Chord.parse("C")), ChordSpan(4, float(quarters), Chord.parse("G7"))]
    return Piece(
        "made/up#0", score=score, chords=chords, key=Key(0, "major"), metre=(4, 4), tempo=tempo, melody=melody,
        tags={"genre": ["folk"]}, split="train",
    )  # fmt: skip


def equal(a, b):
    assert np.array_equal(a.audio.samples, b.audio.samples)
    assert (a.caption, a.programs, a.tags, a.chords, a.tempo, a.key) == (
        b.caption, b.programs, b.tags, b.chords, b.tempo, b.key)  # fmt: skip
    assert np.array_equal(a.beats, b.beats)


def test_a_clip_is_the_same_in_any_order_and_in_any_process(rich):
    first = [rich.clip(index) for index in (0, 1, 2)]
    for index in (2, 0, 1, 8, 1):
        again = rich.clip(index)
        if index < 3:
            equal(again, first[index])
    copy = pickle.loads(pickle.dumps(rich))
    equal(copy.clip(1), first[1])
    equal(next(iter(rich.clips([2]))), first[2])
    labels = rich.labels(1)
    assert isinstance(labels, ClipLabels) and labels.caption == first[1].caption
    assert not np.array_equal(first[0].audio.samples, first[1].audio.samples)


def test_another_seed_draws_other_clips(pieces):
    one, other = (AudioFactory(pieces, rate=RATE, seconds=1, programs="any", seed=seed).clip(0) for seed in (0, 1))
    assert not np.array_equal(one.audio.samples, other.audio.samples)


def test_every_piece_comes_once_an_epoch(rich, pieces):
    for epoch in (0, 1):
        found = [rich.labels(epoch * len(pieces) + place).piece for place in range(len(pieces))]
        assert sorted(found) == sorted(piece.id for piece in pieces)


def test_stems_sum_to_the_mix_and_it_peaks_where_it_should(rich):
    for index in range(3):
        clip = rich.clip(index)
        assert clip.audio.samples.shape == (2, 3 * RATE)
        total = sum(stem.samples for stem in clip.stems.values())
        np.testing.assert_allclose(total, clip.audio.samples, atol=1e-5)
        assert -12.01 < 20 * np.log10(np.abs(clip.audio.samples).max()) < -0.99
        assert list(clip.stems) == [part.name for part in clip.parts]


def test_the_mix_is_the_same_without_stems_and_mono_is_the_mean_of_both_sides(pieces):
    def mix(**options):
        audio = AudioFactory(pieces, rate=RATE, seconds=2, room=(0.3, 0.3), **options).clip(4).audio.samples
        return audio / np.abs(audio).max()

    stereo = mix(channels=2)
    np.testing.assert_allclose(mix(channels=2, stems=True), stereo, atol=1e-5)
    middle = stereo.mean(axis=0, keepdims=True)  # but for stereo samples of players who stand at the side
    np.testing.assert_allclose(mix(channels=1), middle / np.abs(middle).max(), atol=1e-3)


def test_labels_of_a_piece_that_is_known():
    factory = AudioFactory([piece_of()], rate=RATE, seconds=3.0, tempi=[60], transpose=(2, 2), parts=(3, 3))
    clip = next(c for c in map(factory.clip, range(20)) if c.parts[0].keys[0] == 62)  # begins with the first bar
    assert clip.tempo == 60 and clip.key == Key(2, "major") and clip.metre == (4, 4) and clip.split == "train"
    np.testing.assert_allclose(clip.beats, [0, 1, 2])
    np.testing.assert_allclose(clip.downbeats, [0])
    assert [(span.start, span.end, str(span.chord)) for span in clip.chords] == [(0, 3, "D")]
    lead, low, beat = clip.parts
    np.testing.assert_array_equal(lead.keys, [62, 63, 64])
    np.testing.assert_array_equal(low.keys, [38, 39, 40])
    np.testing.assert_array_equal(beat.keys, [38, 38, 38])  # drums are not moved
    assert clip.programs == (0, 32, 128) and clip.melody == "lead"
    assert clip.tags["texture"] == ("trio",) and clip.tags["tempo"] == ("slow",) and clip.tags["mode"] == ("major",)
    assert clip.tags["family"] == ("piano", "bass", "drums") and clip.tags["collection"] == ("made",)


def test_short_pieces_begin_again_or_end():
    piece = piece_of(tempo=120.0)  # four seconds
    form = Form(piece)
    assert form.seconds == 4.0
    whole = take_excerpt(piece, form, bar=1, seconds=9.0)
    np.testing.assert_allclose(whole.downbeats, [0, 2, 4, 6, 8])
    np.testing.assert_allclose(whole.parts[0].starts, np.arange(18) * 0.5)
    assert whole.parts[0].keys.tolist()[:6] == [64, 65, 66, 67, 60, 61]
    assert [round(span.start, 6) for span in whole.chords] == [0, 2, 4, 6, 8]
    ended = take_excerpt(piece, form, bar=1, seconds=9.0, repeat=False)
    np.testing.assert_allclose(ended.parts[0].starts, [0, 0.5, 1.0, 1.5])
    silent = AudioFactory([piece], rate=RATE, seconds=9.0, repeat=False, room=(0, 0)).clip(0).audio.samples
    assert np.abs(silent[:, -RATE:]).max() < 1e-3 < np.abs(silent[:, :RATE]).max()


def test_beats_lie_on_the_attacks_that_are_heard():
    """The rise of the spectrum at labelled beats, against that between them."""
    factory = AudioFactory(
        [piece_of(32)], rate=16000, seconds=8, tempi=[96, 132], start="any", programs=[0, 32], parts=(3, 3)
    )
    for index in range(4):
        clip = factory.clip(index)
        frames = np.lib.stride_tricks.sliding_window_view(clip.audio.samples[0], 512)[::128] * np.hanning(512)
        spectra = np.log1p(100 * np.abs(np.fft.rfft(frames)))
        rise = np.maximum(np.diff(spectra, axis=0), 0).mean(axis=1)
        times = (np.arange(len(rise)) * 128 + 384) / 16000
        inside = clip.beats[(clip.beats > 0.3) & (clip.beats < 7.5)]
        on = np.mean([rise[np.abs(times - beat) < 0.03].max() for beat in inside])
        off = np.mean([rise[np.abs(times - beat - 30 / clip.tempo) < 0.03].max() for beat in inside])
        assert on > 4 * off
        np.testing.assert_allclose(np.diff(clip.beats), 60 / clip.tempo, rtol=1e-6)
        assert set(np.round(clip.downbeats, 6)) <= set(np.round(clip.beats, 6))


def test_the_sound_has_the_pitch_of_the_notes():
    for semitones in (0, 5):
        factory = AudioFactory([piece_of(32)], rate=16000, seconds=4, parts=(1, 1), melody_only=True, programs=[73],
                               transpose=(semitones, semitones), tempi=[60], room=(0, 0))  # fmt: skip
        clip = factory.clip(0)
        (part,) = clip.parts
        for start, key in zip(part.starts[:3], part.keys[:3], strict=True):
            at = int((start + 0.25) * 16000)
            tone = clip.audio.samples[0, at : at + 8000] * np.hanning(8000)
            spectrum = np.abs(np.fft.rfft(tone))
            wanted = 440 * 2 ** ((key - 69) / 12) / 2
            near = [spectrum[round(k * wanted) - 6 : round(k * wanted) + 7].max() for k in (1, 2)]
            between = spectrum[round(1.5 * wanted) - 6 : round(1.5 * wanted) + 7].max()
            assert max(near) > 10 * between


@pytest.mark.parametrize(
    "options",
    [{"programs": [40]}, {"programs": "family"}, {"melody_only": True}, {"drums": False}, {"tempi": [70]},
     {"speed": (1.3, 1.3)}, {"transpose": (3, 3)}, {"velocity_noise": 20.0}, {"balance_db": 6.0},
     {"room": (0.5, 0.5)}, {"level_db": (-20, -20)}, {"start": "any"}, {"parts": (1, 1)}],
    ids=lambda options: next(iter(options)),
)  # fmt: skip
def test_every_option_changes_the_sound(options):
    piece = piece_of(32)
    plain = AudioFactory([piece], rate=RATE, seconds=2, seed=1).clip(0)
    other = AudioFactory([piece], rate=RATE, seconds=2, seed=1, **options).clip(0)
    assert np.abs(plain.audio.samples - other.audio.samples).max() > 1e-3


def test_programs_come_from_the_list_without_repetition(pieces):
    factory = AudioFactory(pieces, rate=RATE, seconds=1, programs=[11, 24, 73, 48], parts=(1, 4), drums=False)
    for index in range(12):
        labels = factory.labels(index)
        programs = [part.program for part in labels.parts]
        assert len(set(programs)) == len(programs) and set(programs) <= {11, 24, 73, 48}
        assert 1 <= len(programs) <= 4 and "genre" not in labels.tags


def test_tags_as_a_matrix(pieces):
    factory = AudioFactory(pieces, rate=RATE, seconds=1, programs="any")
    tags = [factory.labels(index).tags for index in range(24)]
    names = tag_names(tags, kinds=("mode", "family"), fewest=2)
    labels = multi_hot(tags, names)
    assert labels.shape == (24, len(names)) and all(name.startswith(("mode: ", "family: ")) for name in names)
    for row, one in zip(labels, tags, strict=True):
        assert (row[names.index("mode: minor")] == 1) == (one["mode"] == ("minor",)) if "mode: minor" in names else True
    assert (labels.sum(axis=0) >= 2).all() and (labels.sum(axis=0) <= 22).all()
    assert [family(program) for program in (0, 31, 119, 128)] == ["piano", "guitar", "percussive", "drums"]


def test_captions_are_true(pieces):
    factory = AudioFactory(pieces, rate=RATE, seconds=1, tempi=[90, 120], programs=[73], melody_only=True)
    for index in range(8):
        labels = factory.labels(index)
        assert labels.caption and not any(word in labels.caption.lower() for word in ("piano", "drum kit and"))
        for tempo in (90, 120):
            if str(tempo) in labels.caption:
                assert labels.tempo == tempo


def test_held_clips_are_the_clips_to_half_a_step(rich):
    held = rich.held([2, 0])
    assert len(held) == 2 and held.samples.dtype == np.int16 and held.rate == RATE
    np.testing.assert_allclose(held[1], rich.clip(0).audio.samples, atol=0.6 / 32767)
    assert [label.index for label in held.labels] == [2, 0]
    values = np.array([[-2.0, -1.0, 0.0, 0.5, 1.0]], np.float32)
    np.testing.assert_allclose(to_float(to_int16(values)), np.clip(values, -1, 1), atol=0.6 / 32767)


@pytest.mark.slow
def test_held_clips_do_not_depend_on_the_number_of_processes(rich):
    np.testing.assert_array_equal(rich.held(range(6), workers=2).samples, rich.held(range(6)).samples)


def test_choice_of_pieces():
    corpus = load_corpus(limit=600)
    chosen = choose_pieces(corpus, count=20, metres=[(3, 4)])
    assert len(chosen) == 20 and {piece.metre for piece in chosen} == {(3, 4)}
    tunes = [piece.id.partition("#")[0] for piece in chosen]
    assert len(set(tunes)) == 20
    assert [p.id for p in choose_pieces(corpus, count=5, seed=2)] == [
        p.id for p in choose_pieces(corpus, count=5, seed=2)
    ]
    with pytest.raises(InputError, match="pieces fit of 10"):
        choose_pieces(corpus, count=10, genres=["no such genre"])


@pytest.mark.parametrize(
    "options",
    [{"rate": 100}, {"seconds": 0}, {"channels": 3}, {"programs": "all"}, {"programs": [130]}, {"programs": []},
     {"speed": (2, 1)}, {"room": (0, 2)}, {"tempi": [5]}, {"start": "middle"}, {"parts": (0, 3)},
     {"caption_style": "long"}],
    ids=str,
)  # fmt: skip
def test_wrong_options_are_told(options):
    with pytest.raises(OptionError) as error:
        AudioFactory([piece_of()], **options)
    assert str(error.value).count(". ") == 0
    with pytest.raises(InputError):
        AudioFactory([])
    with pytest.raises(OptionError):
        AudioFactory([piece_of()]).clip(-1)
