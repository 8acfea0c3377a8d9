"""CM-HRNN in use: what its conditions do, whole bars, the same again, and what is refused."""

import numpy as np
import pytest
import torch

from orchestrion.data.piece import Piece
from orchestrion.errors import InputError, OptionError
from orchestrion.nn.hierarchical_rnn import TierStepper
from orchestrion.representations.leads import lead_score
from orchestrion.representations.melody_events import Lead, bar_lengths, chord_class, from_classes
from orchestrion.systems.cm_hrnn import CMHRNN
from orchestrion.systems.registry import load
from orchestrion.theory.chords import Chord, ChordSpan
from orchestrion.theory.harmony import MelodyNote
from orchestrion.theory.keys import Key
from orchestrion.training.plain_melodies import leads
from orchestrion.training.stage import Share


def spans(text, length=4.0):
    return [ChordSpan(n * length, (n + 1) * length, Chord.parse(one)) for n, one in enumerate(text.split())]


def steps(text):
    return np.repeat([chord_class(Chord.parse(one)) for one in text.split()], 16)


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    model = CMHRNN.from_preset("mini", width=16).eval()
    for parameter in model.network.parameters():
        parameter.data.mul_(3)  # far from even, so that conditions show
    return model


def write(model, text, seed=0, **options):
    return model.write(steps(text), generator=torch.Generator().manual_seed(seed), **options)


def test_whole_bars_and_chords_in_time(tiny):
    events = from_classes(write(tiny, "C Am F G7"))
    assert set(bar_lengths(events)) == {16} and events[0].bar and events[0].note != 1
    time = 0
    for event in events:
        assert event.chord == steps("C Am F G7")[time] and event.note not in (2, 3)
        time += event.duration
    assert time == 64


def test_free_bars_keep_the_changes_of_chords(tiny):
    events = from_classes(write(tiny, "C Am F G7", whole_bars=False, duration_temperature=3.0))
    assert sum(event.duration for event in events) == 64
    time = 0
    for event in events:
        assert time // 16 == (time + event.duration - 1) // 16  # the chord changes with each bar here
        assert event.chord == steps("C Am F G7")[time]
        time += event.duration


def test_the_tenth_is_the_first(tiny):
    first = write(tiny, "C Am F G7", seed=3)
    for seed in range(8):
        write(tiny, "Dm G7", seed=seed)
    assert np.array_equal(write(tiny, "C Am F G7", seed=3), first)
    assert not np.array_equal(write(tiny, "C Am F G7", seed=4), first)


def test_chords_change_the_melody_only_from_where_they_change(tiny):
    one, two = (write(tiny, text, seed=1) for text in ("C C C C", "C C F# F#"))
    until = [np.searchsorted(np.cumsum(made[:, 2] + 1), 32) for made in (one, two)]
    assert until[0] == until[1] and np.array_equal(one[: until[0], [0, 2, 3]], two[: until[0], [0, 2, 3]])
    assert not np.array_equal(one[:, 3], two[:, 3])


def test_without_chords_in_its_rows_they_change_nothing():
    torch.manual_seed(0)
    model = CMHRNN.from_preset("mini", width=16, conditional=False).eval()
    one, two = (write(model, text) for text in ("C C C C", "F# F# F# F#"))
    assert np.array_equal(one[:, [0, 2, 3]], two[:, [0, 2, 3]])


def test_time_that_has_passed_changes_what_comes(tiny):
    rows = torch.randn(1, 8, tiny.network.events.in_channels)
    told = [TierStepper(tiny.network)(rows, passed) for passed in (3, 15)]
    assert not torch.allclose(*told)
    torch.manual_seed(0)
    deaf = CMHRNN.from_preset("mini", width=16, elapsed=False).eval()
    assert torch.equal(*[TierStepper(deaf.network)(rows, passed) for passed in (3, 15)])


def example(key="G major", metre=(4, 4)):
    rng = np.random.default_rng(0)
    notes = tuple(MelodyNote(n / 2, 0.5, int(rng.integers(67, 80))) for n in range(64))
    lead = Lead(notes, tuple(spans("G Em C D7 G Em D7 G")), 32.0)
    score = lead_score(lead, tempo=100)
    return Piece("x", score=score, chords=list(lead.chords), key=Key.parse(key), metre=metre, melody=0)


def test_windows_are_what_is_predicted():
    model = CMHRNN.from_preset("mini", width=16, window=24, batch_size=4)
    found = leads([example(), example(), example(metre=(3, 4))], 10)
    assert len(found) == 1 and str(found[0].chords[0].chord) == "C"
    stage = model.stages([example()], [example()])[0]
    batch = stage.data(0, Share())
    rows = batch.rows[:, model.network.lead :].tensor_split([2, 51, 100, 116], -1)
    for number, field in enumerate((rows[0], rows[3], rows[4])):
        real = batch.counted & (field.sum(-1) > 0)
        assert torch.equal(field.argmax(-1)[real], batch.targets[..., number][real])
    opens = batch.targets[..., 0] == 1
    assert (batch.elapsed[opens & batch.counted] == 15).all()  # a bar opens when the last is full
    assert (batch.elapsed[~opens & batch.counted] < 15).all()
    again = stage.data(0, Share())
    assert torch.equal(again.rows, batch.rows)
    with pytest.raises(InputError, match="None of the pieces"):
        model.stages([], [])


def test_it_learns_an_example_by_heart():
    torch.manual_seed(0)
    model = CMHRNN.from_preset("mini", width=32, dropout=0.0, window=32, batch_size=4)
    stage = model.stages([example()], [example()])[0]
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for step in range(40):
        loss = stage.objectives[0].loss(stage.data(step, Share())).value
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]


def test_refused():
    model = CMHRNN.from_preset("mini", width=8)
    with pytest.raises(OptionError, match="in 4/4 only, not in 3/4"):
        model.melodize(spans("C"), metre=(3, 4))
    with pytest.raises(InputError, match="at least one chord"):
        model.melodize([])
    with pytest.raises(InputError, match="at least one chord"):
        model.melodize(spans("N"))
    with pytest.raises(OptionError, match="goes on from given events"):
        CMHRNN.from_preset("2t", width=8).melodize(spans("C"))


def test_shipped_melodies_suit_their_chords():
    """Share of sounding time on chord tones, over the chords given against chords a tritone away."""
    model = load("cm_hrnn")
    given = spans("C Am F G7 C Em Dm G7")
    own = other = total = 0.0
    for seed in range(4):
        music = model.melodize(given, seed=seed)
        assert [track.name for track in music.score.tracks] == ["melody", "chords"] and music.report["key"] == "C major"
        for note in music.score.tracks[0].notes:
            chord = given[min(note.time // 1920, 7)].chord
            own += note.duration * (note.pitch % 12 in chord.pitch_classes)
            other += note.duration * (note.pitch % 12 in chord.transpose(6).pitch_classes)
            total += note.duration
    assert own / total > other / total + 0.2
