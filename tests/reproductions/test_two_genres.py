"""The two genres differ in what is written and in nothing else that would tell them apart."""

from __future__ import annotations

import pytest

from orchestrion.reproductions.two_genres import LOUDEST, SOFTEST, STRIDE, TEMPO, two_genres


@pytest.fixture(scope="module")
def pieces():
    train, test = two_genres(most=5)
    return [*train, *test]


def of_genre(pieces, stride):
    return [piece for piece in pieces if (piece.genre == STRIDE.genre) is stride]


def test_both_genres_are_there_equally_often_and_twice_the_same(pieces):
    assert len(of_genre(pieces, True)) == len(of_genre(pieces, False)) == 5
    again = [piece for part in two_genres(most=5) for piece in part]
    assert [piece.score.to("tick") for piece in again] == [piece.score.to("tick") for piece in pieces]


def test_tempo_and_loudness_follow_one_rule(pieces):
    for piece in pieces:
        assert TEMPO[0] <= piece.score.tempos[0].qpm <= TEMPO[1] and len(piece.score.tempos) == 1
        bar = piece.score.ticks_per_quarter * 4 * piece.metre[0] // piece.metre[1]
        notes = [note for track in piece.score.tracks for note in track.notes]
        assert {note.velocity for note in notes if note.time % bar == 0} == {LOUDEST}
        assert all(SOFTEST < note.velocity <= LOUDEST for note in notes)


def test_a_stride_is_a_bass_on_the_beat_and_chords_between(pieces):
    for piece in of_genre(pieces, True):
        bass, chords = (
            next(track for track in piece.score.tracks if track.name == name) for name in ("bass", "chords")
        )
        assert max(note.pitch for note in bass.notes) < min(note.pitch for note in chords.notes) + 12
        assert not {note.time for note in bass.notes} & {note.time for note in chords.notes[:30]}
