"""Music FaderNets: batches, faders, what is kept of a score, training."""

import numpy as np
import pytest
import symusic
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.data.piece import Piece
from orchestrion.errors import OptionError
from orchestrion.evaluation.faders import fader_scores, fader_settings
from orchestrion.nn.fader_network import FAMILIES
from orchestrion.nn.mixture_prior import Gaussian, MixturePrior
from orchestrion.nn.segment_vae import EventDecoder
from orchestrion.paradigms import gaussian_mixture_vae as gm
from orchestrion.representations.performance_events import EventVocabulary, StepNote
from orchestrion.representations.segments import cut_segments
from orchestrion.systems.music_fadernets import MusicFaderNets
from orchestrion.systems.registry import load
from orchestrion.training.fader_measures import settle_prior
from orchestrion.training.fader_segments import FaderBatch, stand_in_arousal
from orchestrion.training.stage import Share


def piano(bars=4, *, drums=True, triplets=False):
    """Chords in quarters under a tune in eighths, a flute, drums; the second bar is silent in the piano."""
    score = symusic.Score(480)
    score.tempos.append(symusic.Tempo(0, 90))
    score.time_signatures.append(symusic.TimeSignature(0, 4, 4))
    keys = symusic.Track("piano", 0)
    flute = symusic.Track("flute", 73)
    for bar in range(bars):
        flute.notes.append(symusic.Note(1920 * bar, 1900, 84, 50))
        if bar == 1:
            continue
        for beat in range(4):
            for pitch in (48, 52 + beat % 2, 55):
                keys.notes.append(symusic.Note(1920 * bar + 480 * beat, 470, pitch, 60 + bar))
            for half in range(2):
                keys.notes.append(symusic.Note(1920 * bar + 480 * beat + 240 * half, 230, 72 + beat + half, 80))
    score.tracks.append(keys)
    score.tracks.append(flute)
    if drums:
        beats = symusic.Track("drums", 0, True)
        beats.notes.extend([symusic.Note(480 * n, 100, 36, 90) for n in range(4 * bars)])
        score.tracks.append(beats)
    return score


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return MusicFaderNets.from_preset(
        "mini",
        hidden=32,
        sub_hidden=16,
        latent=4,
        batch_size=12,
        learning_rate=6e-3,
        labelled_batch=8,
        beta_offset=10,
        training_steps=80,
    )


@pytest.fixture(scope="module")
def trained(small):
    """A small network that has seen a few hundred made-up segments, so that its faders work."""
    pieces = [Piece(f"p{n}", score=random_score(n)) for n in range(14)]
    (stage,) = small.stages(pieces, pieces[:2])
    (objective,) = stage.objectives
    optimiser = objective.optimiser(list(objective.parameters))
    small.train()
    stage.start()
    losses = []
    for step in range(stage.steps):
        torch.manual_seed(step)
        loss = objective.loss(stage.data(step, Share()))
        optimiser.zero_grad()
        loss.value.backward()
        torch.nn.utils.clip_grad_norm_(small.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.parts["events"])
    small.eval()
    stage.end()
    return small, losses, stage


def random_score(seed):
    """Sixteen bars; each has its own number of onsets and of voices."""
    rng = np.random.default_rng(seed)
    score = symusic.Score(480)
    track = symusic.Track("piano", 0)
    for bar in range(16):
        stride, voices = int(rng.choice([1, 2, 4, 8])), int(rng.integers(1, 4))
        for step in range(0, 16, stride):
            for voice in range(voices):
                pitch = 48 + 4 * voice + int(rng.integers(0, 3))
                track.notes.append(symusic.Note(1920 * bar + 120 * step, 120 * stride - 5, pitch, 70))
    score.tracks.append(track)
    return score


def notes_of(score, track):
    held = score.tracks[track].notes
    return [(n.time, n.duration, n.pitch, n.velocity) for n in held]


# Representation -------------------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.integers(0, 15), st.integers(1, 6), st.integers(21, 108)),
        min_size=1,
        max_size=12,
        unique_by=lambda note: note[2],
    )
)
@settings(max_examples=20, deadline=None)
def test_events_come_back(given_notes):
    vocabulary = EventVocabulary(shifts=16, velocities=0)
    notes = sorted(StepNote(start, start + length, pitch) for start, length, pitch in given_notes)
    assert sorted(vocabulary.decode(vocabulary.encode(notes))) == notes
    assert len(vocabulary) == 194


def test_segments_of_a_known_score():
    segments = cut_segments(piano(), [0], timed=True)
    assert [one.number for one in segments] == [0, 2, 3]
    first = segments[0]
    assert first.rhythm.tolist() == [1, 2] * 8
    assert first.note_counts.tolist() == [4] * 16
    assert first.densities == (0.5, 4.0)
    assert first.is_full() and len(first.indices) == 20
    assert first.timed[-1].start == round(3.5 * 60 / 90 * 100)
    assert cut_segments(piano(), [1])[1].number == 1


def test_a_repeated_note_is_an_onset():
    score = symusic.Score(480)
    track = symusic.Track("", 0)
    track.notes.extend([symusic.Note(120 * n, 200, 60, 70) for n in range(16)])  # each rings into the next
    score.tracks.append(track)
    (segment,) = cut_segments(score, [0])
    assert segment.rhythm.tolist() == [1] * 16
    assert all(note.end - note.start == 1 for note in segment.notes)


# Mixture --------------------------------------------------------------------------------------------------------------


def test_kl_of_a_mixture_is_a_naive_sum():
    torch.manual_seed(0)
    prior = MixturePrior(components=3, dim=5, scale=0.4)
    q = Gaussian(torch.randn(4, 5), torch.rand(4, 5) + 0.2)
    z = q.sample(torch.randn(4, 5))
    logits = prior.component_logits(z)
    share = logits.softmax(-1)
    normal = torch.distributions.Normal
    total = 0.0
    for item in range(4):
        densities = torch.stack([normal(prior.mean[y], 0.4).log_prob(z[item]).sum() for y in range(3)])
        torch.testing.assert_close(share[item], densities.softmax(0))
        for y in range(3):
            kl = torch.distributions.kl_divergence(normal(q.mean[item], q.scale[item]), normal(prior.mean[y], 0.4))
            total += float((share[item, y] * kl.mean()).detach()) / 4
    prior.requires_grad_(False)
    assert float(gm.mixture_kl(q, prior, logits.detach())) == pytest.approx(total, rel=1e-4)
    labels = torch.tensor([0, 1, 2, 0])
    one = torch.distributions.kl_divergence(normal(q.mean, q.scale), normal(prior.mean[labels], 0.4)).mean()
    assert float(gm.labelled_kl(q, prior, labels)) == pytest.approx(float(one), rel=1e-4)
    assert float(gm.component_kl(torch.zeros(2, 3))) == pytest.approx(0, abs=1e-6)
    sure = torch.tensor([[50.0, 0.0, 0.0]])
    assert float(gm.component_kl(sure)) == pytest.approx(np.log(3), rel=1e-5)


def test_beta_is_never_negative_unless_asked():
    values = [gm.annealed_beta(step, beta=0.2) for step in (0, 999, 5000, 10_000, 15_000, 90_000)]
    assert values == [0, 0, 0, 0, 0.1, 0.2]
    assert gm.annealed_beta(5000, beta=0.2, quirks="official") == pytest.approx(-0.1)


def test_decoder_writes_what_it_would_be_told_step_by_step():
    torch.manual_seed(0)
    decoder = EventDecoder(classes=12, latent=3, hidden=8).double()
    z = torch.randn(4, 3, dtype=torch.double)
    with torch.no_grad():
        free = decoder.roll_out(z, steps=10, keep_log_probs=True)
        forced = decoder(free.ids, z).log_softmax(-1)
        torch.testing.assert_close(free.log_probs, forced)
        end = int(free.ids[0, 4])
        stopped = decoder.roll_out(z, steps=10, end=end).ids
    for row, whole in zip(stopped.tolist(), free.ids.tolist(), strict=True):
        length = whole.index(end) + 1 if end in whole else 10
        assert row == whole[:length] + [0] * (10 - length)


# Scores of faders -----------------------------------------------------------------------------------------------------


def test_known_faders():
    knob = fader_settings(-2, 2)
    assert knob.tolist() == [-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5]
    perfect = fader_scores(knob, np.stack([knob, knob]), np.zeros((2, 8)))
    assert (perfect.consistency, perfect.restrictiveness) == (1, 1) and perfect.mean_linearity == pytest.approx(1)
    still = fader_scores(knob, np.zeros((2, 8)), np.stack([knob, knob]))
    assert still.linearity == (0, 0) and still.restrictiveness == pytest.approx(1 - knob.std())
    published = fader_scores(knob, np.stack([knob * 0, knob]), np.zeros((2, 8)), quirks="official")
    assert published.linearity == pytest.approx((1, 1))
    assert fader_scores(np.ones(2), np.array([[0.0, 1.0]]), np.zeros((1, 2))).linearity == (0,)


# Training and use -----------------------------------------------------------------------------------------------------


def test_every_family_has_gradients(small):
    batch = FaderBatch(
        torch.randint(2, 190, (6, 20)),
        torch.randint(0, 3, (6, 16)),
        torch.randint(0, 16, (6, 16)),
        torch.rand(6, 24),
        torch.rand(6, 2),
        torch.tensor([0, 1, 0, 1, 0, 1]),
        None,
        500,
    )
    for family in FAMILIES:
        model = MusicFaderNets.from_preset("mini", family=family, hidden=8, sub_hidden=8, latent=4)
        loss = model.loss(batch)
        loss.value.backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters()), family
    with pytest.raises(OptionError, match="no family 'x'"):
        MusicFaderNets.from_preset("mini", family="x")


def test_training_orders_the_faders(trained):
    model, losses, stage = trained
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])
    found = stage.validate()
    assert found["correlation, rhythm"] > 0.8 and found["correlation, notes"] > 0.6
    assert bool((model.fader_range[:, 1] > model.fader_range[:, 0]).all())


def test_sliders_change_the_music_in_the_direction_asked(trained):
    """On average over pieces: the network has hardly been trained."""
    model = trained[0]
    scores = [random_score(number) for number in range(99, 105)]

    def density(place, **sliders):
        made = [model.fade(score, seed=1, temperature=1.0, **sliders).score for score in scores]
        return np.mean([one.densities[place] for score in made for one in cut_segments(score, [0])])

    assert density(0, rhythm=-1.0) < density(0, rhythm=1.0)
    assert density(1, density=-1.0) < density(1, density=1.0)


def test_the_prior_ends_where_the_divergence_of_labels_is_least(trained):
    model = trained[0]
    data = model.data([Piece(f"p{n}", score=random_score(n)) for n in range(14)])
    settle_prior(model.network, data)
    assert sum(len(batch.labels) for batch in data.labelled(3)) == len(data.known)
    (batch,) = data.labelled(10_000)
    latents = model.network.encode(batch.events)
    for q, prior in zip(latents, model.network.mixtures, strict=True):
        loss = gm.labelled_kl(Gaussian(q.mean.detach(), q.scale.detach()), prior, batch.labels)
        (gradient,) = torch.autograd.grad(loss, [prior.mean])
        assert float(gradient.abs().max()) < 1e-4
        assert float((prior.mean[1] - prior.mean[0]).detach().norm()) > 0.1


def test_arousal_moves_the_latents_towards_excited_music():
    model = MusicFaderNets.from_preset("mini", hidden=8, sub_hidden=8, latent=4)
    z = [torch.randn(2, 4), torch.randn(2, 4)]
    for value in (-1.0, 0.25, 1.0):
        for before, after, prior in zip(z, model.move(z, arousal=value), model.network.mixtures, strict=True):
            torch.testing.assert_close(after - before, (value * (prior.mean[1] - prior.mean[0])).expand(2, 4))


@pytest.mark.parametrize("quirks", ["none", "official"])
def test_the_published_training_leaves_the_prior_to_the_optimiser(quirks):
    torch.manual_seed(0)
    model = MusicFaderNets.from_preset("mini", hidden=8, sub_hidden=8, latent=4, quirks=quirks)
    before = [prior.mean.clone() for prior in model.network.mixtures]
    model.finish(model.data([Piece(f"p{n}", score=random_score(n)) for n in range(3)]))
    moved = [not torch.equal(one, prior.mean) for one, prior in zip(before, model.network.mixtures, strict=True)]
    assert moved == [quirks == "none"] * 2


def test_what_ships_grows_more_excited_with_arousal():
    model = load("music_fadernets")
    scores = [random_score(number) for number in range(99, 105)]

    def rhythm(arousal):
        made = [model.fade(score, seed=1, arousal=arousal).score for score in scores]
        return np.mean([one.densities[0] for score in made for one in cut_segments(score, [0])])

    assert rhythm(-0.8) + 0.05 < rhythm(0.0) < rhythm(0.8) - 0.05


def test_dropped_sliders_and_seeds(trained):
    model = trained[0]
    score = piano()
    before = notes_of(score, 0)
    plain = notes_of(model.fade(score, seed=3, temperature=1.0).score, 0)
    moved = notes_of(model.fade(score, seed=3, temperature=1.0, arousal=1.0).score, 0)
    assert plain == notes_of(model.fade(score, seed=3, temperature=1.0, rhythm=0.0, density=0.0, arousal=0.0).score, 0)
    assert plain != moved and notes_of(score, 0) == before
    for _ in range(3):
        again = notes_of(model.fade(score, seed=3, temperature=1.0, arousal=1.0).score, 0)
    assert again == moved


def test_what_is_kept_is_kept(trained):
    made = trained[0].fade(piano(), rhythm=0.8, seed=0)
    for track in (1, 2):
        assert notes_of(made.score, track) == notes_of(piano(), track)
    assert [(t.time, t.qpm) for t in made.score.tempos] == [(t.time, t.qpm) for t in piano().tempos]
    assert made.score.time_signatures[0].numerator == 4
    assert not [note for note in notes_of(made.score, 0) if 1920 <= note[0] < 3840]  # the silent bar
    assert made.report["segments written"] + made.report["segments kept"] == 3
    flute = trained[0].fade(piano(), tracks=["flute"], rhythm=1.0)
    assert notes_of(flute.score, 0) == notes_of(piano(), 0)


def test_segments_that_are_too_long_are_kept(trained):
    score = piano()
    crowd = [symusic.Note(120 * n, 100, pitch, 70) for n in range(16) for pitch in range(40, 60)]
    score.tracks[0].notes.extend(crowd)
    made = trained[0].fade(score, rhythm=1.0)
    assert made.report["segments kept"] >= 1
    kept = {note for note in notes_of(made.score, 0) if note[0] < 1920}
    assert kept == {note for note in notes_of(score, 0) if note[0] < 1920}


def test_performance_grid_keeps_time_and_loudness():
    torch.manual_seed(0)
    model = MusicFaderNets.from_preset("paper", hidden=16, latent=4, spare=False).eval()
    made = model.fade(piano(), seed=0)
    assert made.score.note_num() > 0
    families = MusicFaderNets.from_preset("paper", family="cvae", hidden=16, latent=4)
    with pytest.raises(OptionError, match="no faders"):
        families.move([torch.zeros(1, 4)], rhythm=0.5)
    with pytest.raises(OptionError, match="no arousal"):
        families.move([torch.zeros(1, 4)], arousal=1.0)


def test_ends_of_a_fader():
    model = MusicFaderNets.from_preset("mini", hidden=8, sub_hidden=8, latent=4)
    model.fader_range.copy_(torch.tensor([[-2.0, 4.0], [-1.0, 1.0]]))
    z = [torch.tensor([[1.0, 5, 5, 5]]), torch.tensor([[0.5, 5, 5, 5]])]
    found = model.move(z, rhythm=1.0, density=-0.5)
    assert found[0].tolist() == [[4, 5, 5, 5]] and found[1].tolist() == [[-0.25, 5, 5, 5]]
    assert z[0][0, 0] == 1


def test_the_stand_in_for_arousal():
    densities = np.array([[0.1, 1.0], [0.9, 5.0], [0.5, 3.1]])
    assert stand_in_arousal(densities).tolist() == [0, 1, 1]
