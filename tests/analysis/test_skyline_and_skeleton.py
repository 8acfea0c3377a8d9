"""Tunes found in scores, their phrases and skeletons, with known answers."""

import numpy as np
import pytest
import symusic

from orchestrion.analysis.skeleton import Phrases, find_phrases, find_skeleton, rhythm_marks
from orchestrion.analysis.skyline import Line, find_melody_track, melody_line
from orchestrion.data.corpus import load_corpus
from orchestrion.errors import OptionError


def score_of(*tracks, metre=(4, 4), pickup=0):
    score = symusic.Score(480)
    score.time_signatures.append(symusic.TimeSignature(0, *metre))
    if pickup:
        score.time_signatures.append(symusic.TimeSignature(pickup, *metre))
    for name, notes in tracks:
        track = symusic.Track(name, 0, name == "drums")
        for time, duration, pitch in notes:
            track.notes.append(symusic.Note(time, duration, pitch, 90))
        score.tracks.append(track)
    return score


def line(lengths, pitches=None, metre=(2, 4)):
    stop = np.cumsum(lengths)
    return Line(stop - lengths, stop, np.array(pitches or [60] * len(lengths)), metre)


def test_highest_notes_one_at_a_time():
    score = score_of(("piano", [(0, 960, 60), (0, 480, 72), (240, 480, 65), (960, 480, 60)]))
    found = melody_line(score)
    assert (
        found.start.tolist() == [0, 2, 8] and found.stop.tolist() == [2, 6, 12] and found.pitch.tolist() == [72, 65, 60]
    )
    assert found.bar == 16 and not found.shift


def test_the_track_of_the_tune():
    high, low = [(0, 480, 80), (480, 480, 82)], [(0, 480, 40), (480, 480, 41)]
    assert find_melody_track(score_of(("bass", low), ("flute", high), ("drums", high))) == 1
    assert find_melody_track(score_of(("Melody", low), ("flute", high))) == 0
    assert find_melody_track(score_of(("drums", high))) is None
    assert len(melody_line(score_of(("drums", high)))) == 0


def test_drones_and_repeated_chords_are_no_tunes():
    tune = [(480 * beat, 480, 60 + beat % 5) for beat in range(16)]
    drone = [(240 * step, 240, 84) for step in range(32)]
    assert find_melody_track(score_of(("a", drone), ("b", tune))) == 1
    assert find_melody_track(score_of(("a", drone))) == 0


def test_tunes_without_a_name_are_found_in_arrangements():
    right = []
    for piece in load_corpus("compact", split="test", limit=150):
        for track in piece.score.tracks:
            track.name = ""
        right.append(find_melody_track(piece.score) == piece.melody)
    assert np.mean(right) > 0.85


def test_a_pick_up_stands_before_a_bar_line():
    score = score_of(("tune", [(0, 480, 60), (480, 480, 62), (960, 960, 64)]), metre=(3, 4), pickup=480)
    found = melody_line(score)
    assert (found.shift, found.start.tolist()) == (8, [8, 12, 16]) and found.start[1] % found.bar == 0


def test_phrases_end_with_long_notes_on_bar_lines():
    bar, close = [2, 2, 2, 2], [4, 4]
    tune = line([*bar * 3, *close] * 4)
    assert find_phrases(tune).starts == (0, 14, 28, 42)
    assert find_phrases(tune).of.tolist() == [0] * 14 + [1] * 14 + [2] * 14 + [3] * 14
    steady = line([2] * 96)  # 24 bars without a long note
    spans = find_phrases(steady).spans
    assert max(b - a for a, b in spans) * 2 <= 64 and min(b - a for a, b in spans) * 2 >= 16


def test_phrases_at_leaps_and_rests():
    start = np.array([0, 2, 4, 6, 8, 10, 12, 14, 24, 26, 28, 30, 32, 34, 36, 38])
    tune = Line(start, start + 2, np.array([60, 62, 60, 62] * 2 + [72, 74, 72, 74] * 2), (2, 4))
    assert find_phrases(tune, method="lbdm").starts == (0, 8)
    assert find_phrases(Line(start[:0], start[:0], start[:0])).spans == []
    with pytest.raises(OptionError, match="by 'rule' or 'lbdm', not by 'ear'"):
        find_phrases(tune, method="ear")


def test_what_carries_a_tune():
    #            bar 1: first note is an eighth; bar 2: a unique long note; bar 3: first too short, last of the phrase
    tune = line([2, 2, 2, 2, 2, 4, 2, 1, 1, 2, 4], [60, 62, 64, 62, 67, 69, 67, 60, 62, 64, 60])
    phrases = Phrases.at([], 11)
    assert find_skeleton(tune, phrases).tolist() == [
        True, False, False, False, True, True, False, False, False, False, True,
    ]  # fmt: skip
    coloured = line([2, 2, 2, 2, 2, 6] * 3, [61, 60, 62, 64, 67, 69, 66, 60, 62, 64, 67, 69, 65, 60, 62, 64, 67, 69])
    kept = find_skeleton(coloured, Phrases.at([], 18))
    assert not kept[[0, 6, 12]].any() and kept[-1]  # outside the five commonest pitch classes
    with pytest.raises(OptionError, match="not by 'ear'"):
        find_skeleton(tune, phrases, method="ear")


def test_rhythm_marks_of_wuyun():
    # 4/4: quarter, eighth, quarter (syncopated), eighth, then a half note
    tune = line([4, 2, 4, 2, 4], metre=(4, 4))
    marks = rhythm_marks(tune)
    assert marks.downbeat.tolist() == [True, False, False, False, False]
    assert marks.syncopation.tolist() == [False, False, True, False, False][:5]
    assert marks.long.tolist() == [True, False, False, False, False]
    assert find_skeleton(tune, Phrases.at([], 5), method="rhythm").tolist() == marks.skeleton.tolist()
    near = line([2, 6, 8], metre=(4, 4))  # the syncopation right after the downbeat cancels it
    assert rhythm_marks(near).downbeat.tolist() == [False, False, True]
    assert rhythm_marks(near).skeleton.tolist() == [False, False, True]
    assert not rhythm_marks(line([4] * 4, metre=(4, 4))).long.any()
