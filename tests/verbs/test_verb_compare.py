"""Systems compared on the same pieces: a system that knows the answer wins, one that is silent loses."""

import json
from dataclasses import dataclass

import pytest
from symusic import Note, Score, Track

from orchestrion.cli.main import main
from orchestrion.data.corpus import load_corpus
from orchestrion.errors import InputError, OptionError
from orchestrion.media.score import write_score
from orchestrion.media.timeline import Timeline
from orchestrion.reproductions.contests import AGAIN, ANOTHER, ITSELF, ContinuationContest, MelodyContest, hold
from orchestrion.verbs.compare import compare


@dataclass
class Answer:
    score: object


class Knowing:
    """Continues as the contest's own pieces do."""

    def __init__(self, contest):
        self.contest, self.asked = contest, []

    def continue_(self, score, *, bars, seed):
        self.asked.append((Timeline.from_score(score).n_bars, bars, seed))
        return Answer(self.contest.own[seed])


class Silent:
    """Writes nothing."""

    def continue_(self, score, *, bars, seed):
        return Answer(score)


@pytest.fixture(scope="module")
def contest():
    scores = [piece.score for piece in load_corpus("compact", split="test")[:14]]
    return ContinuationContest(scores, known=4, bars=4)


def test_standings(contest):
    knowing = Knowing(contest)
    found = hold(contest, {"knowing": knowing, "silent": Silent()})
    assert found.pieces == len(contest) >= 8
    assert knowing.asked == [(4, 4, number) for number in range(len(contest))]
    assert found.ranking[0] == "knowing"
    assert found.loss["knowing"] == [0.0] * len(contest)
    assert max(found.means[name]["found_again"][0] for name in (AGAIN, ANOTHER, "silent")) < 1
    assert found.means["silent"]["silent_bars"][0] == 1
    assert found.means[ANOTHER]["in_key"][0] < found.means[ITSELF]["in_key"][0]
    assert found.means[AGAIN]["repeated_bars"][0] > 0.95  # a bar may be silent
    sure = found.differences["knowing", "silent"]
    assert sure.high < 0
    assert sure.p < 0.05


def test_controls_keep_what_was_given(contest):
    for name, control in contest.controls().items():
        for number in range(3):
            made, given = control(number), contest.given[number]
            end = Timeline.from_score(given).bar_to_tick(4)
            kept = sorted((n.time, n.pitch) for t in made.tracks for n in t.notes if n.time < end)
            assert kept == sorted((n.time, n.pitch) for t in given.tracks for n in t.notes), name
            assert max(n.time for t in made.tracks for n in t.notes) < Timeline.from_score(given).bar_to_tick(8)


class Wandering:
    """Plays the same strange note to all chords."""

    def melodize(self, chords, *, key, tempo, seed):
        made = Score(4)
        made.tracks.append(Track("melody", 0, False))
        for start in range(0, round(4 * chords[-1].end), 4):
            made.tracks[0].notes.append(Note(start, 4, 61, 90))
        return Answer(made)


class Remembering:
    """Elaborates skeletons into the pieces' own melodies."""

    def __init__(self, contest):
        self.contest, self.given = contest, []

    def elaborate(self, skeleton, *, seed):
        self.given.append(skeleton)
        return Answer(self.contest.controls()[ITSELF](seed))


def test_melodies_over_the_same_chords():
    contest = MelodyContest(load_corpus("compact", split="test")[:40], bars=4)
    assert len(contest) >= 8
    assert all(spans[-1].end == 16 for spans in contest.chords)
    remembering = Remembering(contest)
    found = hold(contest, {"wandering": Wandering(), "remembering": remembering})
    assert found.ranking[0] == "remembering"
    assert found.ranking[-1] == "wandering"
    assert found.means["a chord tone for each chord"]["chord_tones"][0] == 1
    for skeleton, spans in zip(remembering.given, contest.chords, strict=True):
        notes = skeleton.tracks[0].notes
        assert [note.time for note in notes] == [
            round(s.start * skeleton.tpq) for s in spans if s.chord.root is not None
        ]


def test_verb_writes_one_table_and_one_plot(tmp_path, capsys):
    pieces = tmp_path / "pieces"
    pieces.mkdir()
    for number, piece in enumerate(load_corpus("compact", split="test")[:3]):
        write_score(piece.score, pieces / f"{number}.mid")
    arguments = ["compare", "getmusic", "--pieces", str(pieces), "--known", "2", "--bars", "1", "--n", "2"]
    assert main([*arguments, "-o", str(tmp_path / "out"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ranking"] == ["getmusic"]
    assert found["pieces"] == 2
    assert set(found["loss"]) == {"getmusic", AGAIN, ANOTHER}
    table = (tmp_path / "out" / "compare.md").read_text()
    assert "**getmusic**" in table
    assert f"{found['loss']['getmusic']:.3f}" in table
    assert (tmp_path / "out" / "compare.png").read_bytes().startswith(b"\x89PNG")
    assert compare(["getmusic"], pieces=pieces, known=2, bars=1, n=2).loss == found["loss"]


def test_what_cannot_be_compared(tmp_path):
    with pytest.raises(OptionError, match="cannot continue"):
        compare(["clmr"])
    with pytest.raises(OptionError, match="only once"):
        compare(["getmusic", "getmusic"])
    with pytest.raises(OptionError, match="choose continue, melody"):
        compare(["getmusic"], task="paint")
    with pytest.raises(InputError, match="no file or folder"):
        compare(["getmusic"], pieces=tmp_path / "none")
    with pytest.raises(InputError, match="No piece is long enough"):
        compare(["getmusic"], known=300, bars=300)
