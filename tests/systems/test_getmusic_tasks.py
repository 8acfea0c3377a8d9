"""GETMusic's tasks on scores, its conditions and their effects, and its training."""

import itertools

import numpy as np
import pytest
import symusic
import torch

from orchestrion.errors import InputError, OptionError, PromptError
from orchestrion.representations.getscore import CHORD_ROW, TRACKS, GetVocabulary
from orchestrion.representations.getscore_conditions import RandomDraws, choose_chords, choose_tracks, give_outside
from orchestrion.systems.getmusic import GETMusic
from orchestrion.systems.registry import load
from orchestrion.systems.tasks import TASKS
from orchestrion.theory.keys import Key

SMALL = {"embedding": 20, "width": 48, "num_layers": 2, "num_heads": 4, "feed_forward": 64, "steps": 12, "window": 64}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    system = GETMusic.from_preset("mini", **SMALL).eval()
    for parameter in (system.network.flags.weight, system.network.time[2].weight):  # small or 0 before training
        torch.nn.init.normal_(parameter, std=0.3)
    return system


def test_the_bundled_weights_are_of_the_miniature():
    bundled = load("getmusic")
    assert {**bundled.arguments, "tokens": "shipped"} == GETMusic.presets["mini"]
    assert bundled.vocabulary.tokens == GetVocabulary.shipped().tokens
    assert bundled.parameter_count == GETMusic.from_preset("mini").parameter_count
    made = bundled.arrange(piece(bars=1), keep=["melody"], add=["bass", "drums"], steps=4)
    assert [track.name for track in made.score.tracks] == ["tune", "bass", "drums"]


def piece(metre=(4, 4), bars=6, which=range(6)):
    """Six tracks, one a kind, with tempo changes, velocities and a controller."""
    score = symusic.Score(480)
    score.tempos.extend([symusic.Tempo(0, 100), symusic.Tempo(1920, 131)])
    score.time_signatures.append(symusic.TimeSignature(0, *metre))
    quarters = int(bars * metre[0] * 4 / metre[1])
    rng = np.random.default_rng(4)
    kinds = [("tune", 73), ("bass", 33), ("kit", 128), ("gtr", 26), ("keys", 1), ("pad", 49)]
    for number in which:
        name, program = kinds[number]
        track = symusic.Track(name, program % 128, program == 128)
        for quarter in range(quarters):
            pitches = {1: [40], 2: [36, 42]}.get(number, [67 - 5 * (number == 4)] if number == 0 else [60, 64, 67])
            for pitch in pitches:
                start = quarter * 480 + int(rng.integers(0, 20))  # not quite on the grid
                pitch = pitch if number == 2 else pitch + int(rng.choice([0, 2, 4, 5]))
                track.notes.append(symusic.Note(start, int(rng.integers(100, 470)), pitch, int(rng.integers(30, 120))))
        track.controls.append(symusic.ControlChange(0, 7, 90))
        score.tracks.append(track)
    return score


def rows(track):
    return sorted((n.start, n.duration, n.pitch, n.velocity) for n in track.notes)


def whole(score):
    return [(t.name, t.program, t.is_drum, rows(t)) for t in score.tracks]


def test_it_has_the_tasks_of_its_card(model):
    assert set(GETMusic.card.tasks) == {"arrange", "continue_", "generate", "harmonize", "infill"}
    assert all(isinstance(model, TASKS[name]) for name in GETMusic.card.tasks)


def test_arranging_leaves_what_is_kept_untouched(model):
    score = piece()
    before = whole(score)
    made = model.arrange(score, keep=["melody", "gtr"], add=["bass", "drums"], steps=3)
    assert whole(score) == before  # what was given is not changed
    ours = whole(made.score)
    assert ours[:2] == [before[0], before[3]]
    assert [name for name, *_ in ours[2:]] == ["bass", "drums"]
    assert all(notes for *_, notes in ours)
    assert [(t.time, round(t.qpm)) for t in made.score.tempos] == [(0, 100), (1920, 131)]
    assert made.score.tracks[1].controls[0].value == 90
    assert made.report["mapping"][0] == {"track": "tune", "as": "lead"}
    assert made.report["mapping"][1] == {"track": "bass", "as": "not read"}
    assert made.report["chords_from"] == "notes"
    assert len(made.report["chords"]) == 6
    assert made.report["windows"] > 1


@pytest.mark.parametrize("metre", [(3, 4), (2, 4), (6, 8), (12, 8)])
def test_other_metres(model, metre):
    made = model.arrange(piece(metre, bars=5), keep=["melody"], add=["piano"], steps=3)
    assert len(made.report["chords"]) == 5
    assert made.report["chords_from"] == "melody"
    assert max(note.end for note in made.score.tracks[1].notes) <= 5 * metre[0] * 1920 / metre[1]


def test_the_same_seed_gives_the_same_notes_on_the_tenth_call_as_on_the_first(model):
    score = piece(bars=2)
    made = [whole(model.arrange(score, keep=["melody"], add=["bass"], seed=5, steps=3).score) for _ in range(10)]
    assert all(one == made[0] for one in made)
    assert whole(model.arrange(score, keep=["melody"], add=["bass"], seed=6, steps=3).score) != made[0]


def test_a_source_matters_and_what_is_left_out_does_not(model):
    score = piece(bars=2)
    bass = {}
    for name, keep, change in (("a", ["melody"], None), ("b", ["melody"], 3), ("c", ["melody"], 0)):
        changed = score.copy()
        for note in changed.tracks[change].notes if change is not None else ():
            note.pitch += 1 if note.pitch % 2 else -1
        bass[name] = rows(model.arrange(changed, keep=keep, add=["bass"], steps=6).score.tracks[-1])
    assert bass["a"] == bass["b"]  # the guitar is not kept
    assert bass["a"] != bass["c"]
    without = score.copy()
    without.tracks = [track for track in without.tracks if track.name != "pad"]
    assert rows(model.arrange(without, keep=["melody"], add=["bass"], steps=6).score.tracks[-1]) == bass["a"]


def grids(model, seed=0):
    window = model.windows([_as_piece(piece())])[0]
    grid = torch.from_numpy(window.grid.astype(np.int64))[None]
    return grid, torch.from_numpy(window.places.astype(np.int64))[None]


def _as_piece(score):
    from orchestrion.data.piece import Piece

    return Piece("p", score=score, melody=0)


def test_chords_flags_and_places_matter(model):
    grid, places = grids(model)
    vocabulary = model.vocabulary
    grid[:, 2:12] = vocabulary.mask
    t, source = torch.tensor([5]), (grid != vocabulary.mask) & (grid != vocabulary.empty)
    with torch.inference_mode():
        logits = model.network(grid, t, source, places)
        other = grid.clone()
        other[:, CHORD_ROW] = vocabulary.roots + (other[:, CHORD_ROW] - vocabulary.roots + 1) % 12
        assert not torch.allclose(model.network(other, t, source, places), logits)
        assert not torch.allclose(model.network(grid, t, torch.zeros_like(source), places), logits)
        assert not torch.allclose(model.network(grid, t, source, places.flip(1)), logits)
        assert not torch.allclose(model.network(grid, t + 3, source, places), logits)
        plain = GETMusic.from_preset("mini", **SMALL, condition_flags=False).eval()
        same = plain.network(grid, t, source, places)
        assert torch.equal(plain.network(grid, t, torch.zeros_like(source), places), same)
    sampled = [
        model.sample(g, places=places, steps=6, generator=torch.Generator().manual_seed(1)) for g in (grid, grid, other)
    ]
    assert torch.equal(sampled[0], sampled[1])
    assert not torch.equal(sampled[0][:, 2:12], sampled[2][:, 2:12])


def test_sampled_cells_are_legal_and_what_is_known_stays(model):
    grid, places = grids(model)
    given = grid.clone()
    grid[:, 2:12, 16:] = model.vocabulary.mask
    made = model.sample(grid, places=places, steps=6, generator=torch.Generator().manual_seed(0))
    known = grid != model.vocabulary.mask
    assert torch.equal(made[known], given[known])
    assert bool(model.legal[torch.arange(14)[None, :, None], made][~known].all())
    pitch, duration = made[:, 0:12:2], made[:, 1:12:2]
    assert torch.equal(pitch == model.vocabulary.pad, duration == model.vocabulary.pad)
    loose = model.sample(grid, places=places, steps=6, joint=False, generator=torch.Generator().manual_seed(0))
    assert bool(model.legal[torch.arange(14)[None, :, None], loose][~known].all())
    assert not torch.equal(loose[:, 0:12:2] == model.vocabulary.pad, loose[:, 1:12:2] == model.vocabulary.pad)


def test_sampled_chords_hold_for_whole_bars(model):
    grid, places = grids(model)
    grid[:, CHORD_ROW:] = model.vocabulary.mask
    made = model.sample(grid, places=places, steps=6, generator=torch.Generator().manual_seed(3))[0, CHORD_ROW:]
    bars = made.view(2, -1, 16)
    assert bool((bars == bars[..., :1]).all())
    assert bool(((made[0] >= model.vocabulary.roots) & (made[0] < model.vocabulary.kinds)).all())
    assert len(bars[0, :, 0].unique()) > 1
    with pytest.raises(OptionError, match="places"):
        model.sample(grid, steps=6)


def test_temperature_and_top_p(model):
    grid, places = grids(model)
    grid[:, 2:6] = model.vocabulary.mask

    def made(seed, **options):
        return model.sample(grid, places=places, steps=4, generator=torch.Generator().manual_seed(seed), **options)

    assert not torch.equal(made(0), made(0, temperature=3.0))
    assert torch.equal(made(0, top_p=1e-6), made(0, temperature=1.0, top_p=1e-6))
    kinds = [len(made(2, **options)[:, 2:6].unique()) for options in ({"top_p": 0.01}, {})]
    assert kinds[0] < kinds[1]
    for wrong in ({"steps": 1}, {"steps": 13}, {"temperature": -1.0}, {"top_p": 0.0}):
        with pytest.raises(OptionError):
            model.sample(grid, places=places, **{"steps": 4, **wrong})


def test_continuing_adds_bars_and_changes_none(model):
    score = piece(bars=4)
    made = model.continue_(score, bars=3, steps=3)
    assert made.score.end() > score.end()
    assert made.score.end() <= 7 * 1920
    for old, new in zip(score.tracks, made.score.tracks, strict=True):
        assert (old.name, old.program) == (new.name, new.program)
        assert rows(old) == [row for row in rows(new) if row[0] < 4 * 1920]
        assert len(new.notes) > len(old.notes)
    assert len(made.report["chords"]) == 7
    with pytest.raises(OptionError, match="bars is 0"):
        model.continue_(score, bars=0)


def test_infilling_writes_the_bars_and_tracks_asked_for(model):
    score = piece(bars=5)
    made = model.infill(score, bars=(1, 3), tracks=["piano"], steps=3)
    for old, new in zip(score.tracks, made.score.tracks, strict=True):
        inside = [[row for row in rows(t) if 1920 <= row[0] < 3 * 1920] for t in (old, new)]
        outside = [[row for row in rows(t) if not 1920 <= row[0] < 3 * 1920] for t in (old, new)]
        assert outside[0] == outside[1]
        assert (inside[0] == inside[1]) == (old.name != "keys")
    assert made.report["written"] == ["piano"]
    assert made.report["chords_from"] == "notes"
    everything = model.infill(score, bars=(4, 5), steps=3)
    assert everything.report["written"] == list(TRACKS)
    assert everything.report["chords_from"] == "model"
    assert len(everything.report["chords"]) == 5
    with pytest.raises(OptionError, match="Bars 5-6 are not in the piece, which has 5"):
        model.infill(score, bars=(4, 6))


def test_harmonising_reads_the_melody_only_and_adds_chords(model):
    score = piece(bars=3)
    made = model.harmonize(score, steps=4)
    assert whole(made.score)[:6] == whole(score)
    assert made.score.tracks[6].name == "chords"
    assert (made.report["melody"], len(made.report["chords"]), made.report["chords_from"]) == ("tune", 3, "melody")
    other = piece(bars=3, which=(0, 2))
    assert model.harmonize(other, steps=4).report["chords"] == made.report["chords"]
    lower = piece(bars=3)
    for note in lower.tracks[0].notes:
        note.pitch -= 12 if note.start < 2000 else 9
    assert rows(model.harmonize(lower, steps=4).score.tracks[6]) != rows(made.score.tracks[6])
    with pytest.raises(InputError, match="no melody"):
        model.harmonize(piece(which=[2]))


def test_generating_serves_what_it_can_and_says_what_it_cannot(model):
    (made,) = model.generate("a sad waltz in D minor for flute, piano and drums, 4 bars, 90 bpm", steps=3)
    assert [(t.name, t.program, t.is_drum) for t in made.score.tracks] == [
        ("lead", 73, False), ("drums", 0, True), ("piano", 0, False),
    ]  # fmt: skip
    report = made.report
    assert (report["key"], report["metre"], report["tempo"], report["bars"]) == ("D minor", "3/4", 90.0, 4)
    assert report["chords"][0] == report["chords"][-1] == "Dm"
    assert made.score.end() <= 4 * 3 * 480
    assert any("sad" in sentence for sentence in report["unserved"])
    options = {"bars": 2, "tempo": 70.0, "key": Key(9, "major"), "metre": (4, 4), "instruments": [24, 33, 128]}
    one, two = model.generate("music", n=2, seed=1, steps=3, **options)
    assert [(t.name, t.program) for t in one.score.tracks] == [("lead", 24), ("bass", 33), ("drums", 0), ("guitar", 24)]
    assert (one.report["key"], one.report["bars"]) == ("A major", 2)
    assert whole(one.score) != whole(two.score)
    assert whole(two.score) == whole(model.generate("music", seed=2, steps=3, **options)[0].score)
    (asked,) = model.generate("chords Am F C G", bars=6, key=Key(0, "major"), steps=3)
    assert asked.report["chords"] == ["Am", "F", "C", "G", "Am", "F"]
    (timed,) = model.generate("anything", seconds=16.0, tempo=120.0, steps=3)
    assert timed.report["bars"] == 8
    with pytest.raises(PromptError):
        model.generate("")
    with pytest.raises(OptionError, match="9999 bars"):
        model.generate("music", bars=9999)


def test_wrong_wishes_are_refused_in_a_sentence(model):
    score = piece()
    for wish, words in (
        ({"add": []}, "Nothing is to be added"),
        ({"add": ["kazoo"]}, "no track 'kazoo'"),
        ({"add": ["bass"]}, "has bass already"),
        ({"add": ["bass"], "keep": ["trumpet"]}, "no track 'trumpet'"),
    ):
        with pytest.raises(OptionError, match=words):
            model.arrange(score, **wish)
    with pytest.raises(InputError, match="in 5/32 at bar 1"):
        model.arrange(piece((5, 32), bars=64), keep=["melody"], add=["bass"])
    with pytest.raises(OptionError, match="quirks"):
        GETMusic.from_preset("mini", quirks="some")


def test_progress_is_told(model):
    told = []
    model.arrange(
        piece(), keep=["melody"], add=["bass"], steps=3, progress=lambda done, total: told.append((done, total))
    )
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1]


COMBINATIONS = [
    (sources, targets)
    for marks in itertools.product((0, 1, 2), repeat=6)
    if (targets := [n for n, mark in enumerate(marks) if mark == 2])
    for sources in [[n for n, mark in enumerate(marks) if mark == 1]]
]
PROGRAMS = (73, 33, 128, 26, 1, 49)


def try_combination(model, sources, targets):
    names = [TRACKS[n] for n in targets]
    if sources:
        score = piece(bars=1, which=sources)
        made = model.arrange(score, keep=[track.name for track in score.tracks], add=names, steps=2)
        assert whole(made.score)[: len(sources)] == whole(score)
    elif 0 in targets:
        made = model.generate("music", bars=1, instruments=[PROGRAMS[n] for n in targets], steps=2)[0]
    else:  # without a lead the plan would make one of them lead, so the grid is written directly
        grid = torch.full((1, 14, 16), model.vocabulary.empty)
        for n in targets:
            grid[:, 2 * n : 2 * n + 2] = model.vocabulary.mask
        places = torch.tensor([[[n, 16] for n in range(16)]])
        made = model.sample(grid, places=places, steps=2, generator=torch.Generator().manual_seed(0))
        empty = (made == model.vocabulary.empty).all(2)[0]
        assert [n for n in range(6) if not empty[2 * n]] == targets
        return
    assert [track.name for track in made.score.tracks][len(sources) :] == names


@pytest.mark.parametrize(("sources", "targets"), COMBINATIONS[::57])
def test_sources_and_targets(model, sources, targets):
    try_combination(model, sources, targets)


@pytest.mark.slow
def test_all_665_sources_and_targets(model):
    assert len(COMBINATIONS) == 665
    for sources, targets in COMBINATIONS:
        try_combination(model, sources, targets)


def test_conditions_of_training(model):
    grid = model.windows([_as_piece(piece())])[0].grid
    vocabulary = model.vocabulary
    seen = set()
    for seed in range(60):
        draws = RandomDraws(np.random.default_rng(seed))
        chosen = choose_tracks(grid, vocabulary, draws, single_share=0.2, chord_share=0.5)
        present = (chosen.tokens != vocabulary.empty).any(1)
        assert (chosen.source[0::2] == chosen.source[1::2]).all()
        assert not (chosen.source.any(1) & ~present).any()
        assert (present & ~chosen.source.any(1))[:12].any()  # something is to be written
        seen.add((int(present[:12].sum()), bool(present[12])))
        span = give_outside(chosen, np.array([0, 16, 32, 48, 64]), draws)
        assert (span.source | ~chosen.source).all()
        assert not span.source[present].all()
    assert {(2, True), (2, False), (12, True), (12, False)} <= seen
    chords = choose_chords(grid, vocabulary, RandomDraws(np.random.default_rng(1)))
    assert not chords.source[CHORD_ROW:].any()
    assert (chords.tokens[CHORD_ROW:] == grid[CHORD_ROW:]).all()


def test_training_brings_the_loss_down_and_weights_are_kept(tmp_path):
    torch.manual_seed(0)
    system = GETMusic.from_preset(
        "mini", **{**SMALL, "window": 32}, batch_size=6, training_steps=40, precision="float32"
    )
    (stage,) = system.stages([_as_piece(piece())], [_as_piece(piece(bars=2))])
    (objective,) = stage.objectives
    optimiser = objective.optimiser(list(objective.parameters))
    from orchestrion.training.stage import Share

    before = stage.validate()["loss"]
    for step in range(10):
        loss = objective.loss(stage.data(step, Share()))
        optimiser.zero_grad()
        loss.value.backward()
        optimiser.step()
    system.eval()
    assert stage.validate()["loss"] < 0.9 * before
    both = [stage.data(3, Share(part, 2)) for part in range(2)]
    assert [len(part.tokens) for part in both] == [3, 3]
    system.save(tmp_path / "w.safetensors", half=False)
    again = GETMusic.from_file(tmp_path / "w.safetensors")
    assert again.vocabulary.tokens == system.vocabulary.tokens
    assert again.arguments["tokens"] == list(system.vocabulary.tokens)
    score = piece(bars=1)
    made = [whole(m.arrange(score, keep=["melody"], add=["bass"], steps=3).score) for m in (system, again)]
    assert made[0] == made[1]


def test_the_fast_loss_is_the_published_one_on_masked_cells(model):
    from orchestrion.paradigms.discrete_diffusion import TimeSample

    diffusion, classes = model.diffusion, model.vocabulary.classes
    x0 = torch.randint(0, classes - 2, (2, 5), generator=torch.Generator().manual_seed(0))
    masked = torch.tensor([[1, 0, 1, 1, 0], [0, 1, 1, 0, 0]]).bool()
    xt = x0.masked_fill(masked, diffusion.mask_token)
    logits = torch.randn(2, 5, classes - 2, generator=torch.Generator().manual_seed(1))
    time = TimeSample(torch.tensor([4, 7]), torch.full((2,), 1 / 12))
    weight = masked.float()  # the published mixture divides by β̄, and so scores visible cells as well
    exact = diffusion.loss(lambda *_: logits, x0, xt, time, weight)
    nats = torch.nn.functional.cross_entropy(logits.flatten(0, 1), x0.flatten(), reduction="none").view(2, 5)
    fast = diffusion.absorbing_loss(nats, masked, time, weight)
    torch.testing.assert_close(fast.loss, exact.loss, rtol=2e-3, atol=1e-3)
