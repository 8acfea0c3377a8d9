"""Small Tunes Transformer: tokens, what its conditions do, skeletons kept, the same again, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from phrase_cases import tune

from orchestrion.analysis.skyline import melody_line
from orchestrion.data.piece import Piece
from orchestrion.errors import InputError, OptionError
from orchestrion.evaluation.phrasing import skeleton_recall
from orchestrion.representations.phrase_notes import REST, PhraseNotes, line_of, line_score
from orchestrion.systems.registry import load
from orchestrion.systems.small_tunes_transformer import SmallTunesTransformer
from orchestrion.theory.keys import Key
from orchestrion.training.plain_melodies import tunes_of
from orchestrion.training.stage import Share

SIZES = {"width": 16, "num_heads": 2, "encoder_layers": 1, "decoder_layers": 2, "feed_forward": 16}


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    model = SmallTunesTransformer.from_preset("mini", **SIZES).eval()
    for name, parameter in model.network.heads.named_parameters():
        if name.endswith("weight"):
            parameter.data.mul_(4)  # far from even, so that conditions show
    return model


def write(model, tokens, seed=0, stops=(32, 64, 96, 128), **options):
    return model.write(tokens, list(stops), generator=torch.Generator().manual_seed(seed), **options)


def test_every_skeleton_note_is_kept(tiny):
    line, tokens = tune()
    made = write(tiny, tokens)
    assert skeleton_recall(line_of(made, metre=(4, 4)), line.select(tokens.kept)) == 1.0
    assert made.phrase_stop.tolist() == [32, 64, 96, 128]
    assert (made.start[1:] == (made.start + made.length)[:-1]).all()
    soft = write(tiny, tokens, hard=False)
    assert not soft.kept.any() and skeleton_recall(line_of(soft, metre=(4, 4)), line.select(tokens.kept)) < 1


def test_a_phrase_ends_after_its_last_skeleton_note(tiny):
    _, tokens = tune()
    final = int(tokens.start[tokens.kept & (tokens.phrase == 3)].max())
    short = replace(tokens, length=np.where(tokens.start == final, 2, tokens.length))
    for seed in range(4):
        made = write(tiny, short, seed=seed)
        after = made.start > final
        assert (made.pitch[after] == REST).all() and made.length[after].sum() == 128 - final - 2
        assert made.phrase_stop.tolist() == [32, 64, 96, 128]
    long = write(tiny, short, stops=(32, 64, 96, final + 2 + 48))  # three bars are no breath
    assert (long.pitch[long.start > final] != REST).any()


def test_the_tenth_is_the_first(tiny):
    _, tokens = tune()
    first = write(tiny, tokens, seed=3)
    for seed in range(8):
        write(tiny, tokens, seed=seed)
    again, other = write(tiny, tokens, seed=3), write(tiny, tokens, seed=4)
    assert np.array_equal(first.pitch, again.pitch) and np.array_equal(first.start, again.start)
    assert not np.array_equal(first.pitch, other.pitch)


def logits(model, tokens):
    batch = model.batch([tokens])
    with torch.inference_mode():
        memory = model.network.encode(batch.skeleton)
        return model.network.decode(batch.steps, memory, batch.skeleton)["pitch"][0]


def changed(tokens, *, note=None, none=False):
    kept, pitch = tokens.kept & (not none), tokens.pitch.copy()
    if note is not None:
        kept = kept.copy()
        kept[note] = ~kept[note]
    return PhraseNotes(tokens.start, tokens.length, pitch, tokens.phrase, tokens.ends, kept, tokens.bar)


@pytest.mark.parametrize("cross", ["none", "full", "phrase", "soft", "phrase+summary"])
def test_the_skeleton_acts_where_it_is_seen(cross):
    """Another note in the skeleton of phrase 2 changes phrase 1 only where all of the skeleton is seen."""
    torch.manual_seed(0)
    model = SmallTunesTransformer.from_preset("mini", **SIZES, cross=cross).eval()
    _, tokens = tune()
    apart = (logits(model, tokens) - logits(model, changed(tokens, note=17))).abs().amax(-1)
    assert (apart[14:21].max() > 1e-6) == (cross != "none")
    assert (apart[:7].max() > 1e-6) == (
        cross in ("full", "soft", "phrase+summary", "phrase") and apart[:7].max() > 1e-6
    )
    if cross == "none":
        assert apart.max() == 0
    if cross in ("full", "soft", "phrase+summary"):
        assert apart[:7].max() > 1e-6


def test_without_a_skeleton_it_is_not_seen(tiny):
    _, tokens = tune()
    bare = logits(tiny, changed(tokens, none=True))
    assert not torch.allclose(logits(tiny, tokens), bare)
    moved = changed(tokens, none=True)
    batch = tiny.batch([moved])
    assert not batch.skeleton.mask.any()
    batch.skeleton.fields[:] = 3  # what is masked does not matter
    with torch.inference_mode():
        memory = tiny.network.encode(batch.skeleton)
        same = tiny.network.decode(batch.steps, memory, batch.skeleton)["pitch"][0]
    torch.testing.assert_close(same, bare)


def test_the_plan_acts(tiny):
    _, tokens = tune()
    bare = changed(tokens, none=True)
    one, two = (write(tiny, bare, stops=stops) for stops in ((64, 128), (32, 64, 96, 128)))
    assert one.phrase_stop.tolist() == [64, 128] and two.phrase_stop.tolist() == [32, 64, 96, 128]
    assert not np.array_equal(one.pitch, two.pitch)


def test_one_by_one_is_all_at_once(tiny):
    _, tokens = tune()
    batch = tiny.batch([tokens])
    caches = tiny.network.empty_caches(40)
    with torch.inference_mode():
        memory = tiny.network.encode(batch.skeleton)
        whole = tiny.network.decode(batch.steps, memory, batch.skeleton)["length"][0]
        for number in range(28):
            parts = [getattr(batch.steps, name)[:, number : number + 1] for name in ("last", "place", "phrase", "bar")]
            step = tiny.network.decode(type(batch.steps)(*parts), memory, batch.skeleton, caches)["length"][0, 0]
            torch.testing.assert_close(step, whole[number], rtol=1e-4, atol=1e-5)


def piece():
    line, _ = tune()
    return Piece("x", score=line_score(line, tempo=90), key=Key(6, "major"), metre=(4, 4), melody=0)


def test_it_learns_a_tune_by_heart():
    torch.manual_seed(0)
    model = SmallTunesTransformer.from_preset("mini", **{**SIZES, "width": 32}, transposition=0, batch_size=2)
    assert len(tunes_of([piece(), piece()], 10)) == 1
    stage = model.stages([piece()], [piece()])[0]
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for step in range(60):
        loss = stage.objectives[0].loss(stage.data(step, Share())).value
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]
    with pytest.raises(InputError, match="None of the pieces"):
        model.stages([], [])


def test_keys_come_back(tiny):
    line, tokens = tune()
    bones = line.select(tokens.kept)
    music = tiny.elaborate(line_score(bones, tempo=77), plan=(2, 2, 2, 2), key=Key(6, "major"))
    made = melody_line(music.score)
    assert skeleton_recall(made, bones) == 1.0 and music.report["skeleton_kept"] == 8
    assert round(music.score.tempos[0].qpm) == 77 and len(music.score.markers) == 4


def test_refused(tiny):
    line, _ = tune()
    for said, arguments in {
        "neither a skeleton nor a plan": {},
        "not in 7/16": {"plan": (4,), "metre": (7, 16)},
        "at least one bar": {"plan": (4, 0)},
        "goes on for 8": {"skeleton": line_score(line, tempo=90), "plan": (4,)},
    }.items():
        with pytest.raises(OptionError, match=said):
            tiny.elaborate(**arguments)
    with pytest.raises(InputError, match="more than 512 bars"):
        tiny.elaborate(plan=(300, 300))
    with pytest.raises(InputError, match="longer than 20 notes"):
        SmallTunesTransformer.from_preset("mini", **SIZES, max_length=20).eval().elaborate(plan=(64,))


def test_shipped_tunes_stay_in_the_scale_of_their_skeleton():
    music = load("small_tunes_transformer").elaborate(plan=(4, 4, 4, 4), key=Key.parse("G major"), seed=1)
    weight = {True: 0, False: 0}
    for note in music.score.tracks[0].notes:
        weight[note.pitch % 12 in Key.parse("G major").scale] += note.duration
    assert weight[True] > 0.85 * sum(weight.values())
