"""Our own listeners: their networks, their training, and what they make of sound of any length."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from orchestrion.data.corpus import load_corpus
from orchestrion.errors import WeightsError
from orchestrion.media.audio import Audio
from orchestrion.nn.dilated_stack import DilatedStack
from orchestrion.systems.listeners import tags, train
from orchestrion.systems.listeners.beats import FRAME_RATE, Activations, BeatListener, beat_targets
from orchestrion.systems.listeners.chords import (
    CHORDS,
    ChordListener,
    chord_index,
    chord_targets,
    smooth,
    soft_frames,
    spans,
)
from orchestrion.systems.listeners.clips import HeardClips, clip_factory, hear_clips
from orchestrion.systems.listeners.front_ends import (
    LOWEST,
    MEL_HOP,
    PER_OCTAVE,
    RATE,
    MelFrontEnd,
    PitchFrontEnd,
    levelled,
)
from orchestrion.systems.listeners.pitch_circle import Circular
from orchestrion.systems.listeners.tags import TagListener, best_threshold
from orchestrion.theory.chords import Chord, ChordSpan

NAMES = ("family: piano", "family: drums", "genre: jazz", "genre: rock", "mood: calm")


@pytest.fixture(scope="module")
def clips() -> HeardClips:
    factory = clip_factory(load_corpus("compact", split="validation", limit=40), seed=5, seconds=4.0)
    return hear_clips(factory, range(6))


def test_sizes_are_small() -> None:
    for listener in (
        BeatListener.from_preset("mini"), ChordListener.from_preset("mini"),
        TagListener.from_preset("mini", names=NAMES),
    ):  # fmt: skip
        assert 10_000 < listener.parameter_count < 1_000_000


def test_front_ends_do_not_hear_level_and_find_a_tone() -> None:
    wave = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    assert np.allclose(levelled(wave), levelled(0.001 * wave), atol=1e-6)
    assert not levelled(np.zeros(10, np.float32)).any()
    pitch = PitchFrontEnd()(torch.from_numpy(levelled(wave))[None])[0]
    assert int(pitch[:, 5].argmax()) == round(PER_OCTAVE * np.log2(440 / LOWEST))
    assert MelFrontEnd()(torch.from_numpy(wave)[None]).shape == (1, 81, RATE // MEL_HOP + 1)
    assert torch.allclose(PitchFrontEnd().weights.sum(1), torch.ones(144))


def test_targets_are_at_their_frames() -> None:
    target = beat_targets(np.array([0.0, 0.5, 99.0]), 50)
    assert target[0] == 1 and target[1] == 0.5 and target[25] == 1 and target[24] == target[26] == 0.5
    assert target.sum() == 3.5
    labels = chord_targets([ChordSpan(0.0, 1.0, Chord.parse("C:maj")), ChordSpan(1.0, 2.0, Chord.parse("N"))], 25)
    assert CHORDS[labels[3]] == Chord.parse("C:maj") and labels[15] == 0 and (labels[20:] == -100).all()
    assert CHORDS[chord_index(Chord.parse("D:min9"))] == Chord.parse("D:min7")
    assert CHORDS[chord_index(Chord.parse("Bb:maj6"))].root == 10


def test_how_beats_divide_is_learned_where_the_metre_is_known(clips: HeardClips) -> None:
    label = clips.labels[0]
    for metre, value in (((6, 8), 1.0), ((12, 8), 1.0), ((3, 4), 0.0), ((4, 4), 0.0), ((3, 8), 0.0), (None, 0.5)):
        assert train.division_target(replace(label, metre=metre), 3).tolist() == [value] * 3


@pytest.mark.parametrize(("parts", "metre"), [(3, (9, 8)), (2, (3, 4))])
def test_beats_in_three_parts_make_a_compound_metre(parts: int, metre: tuple[int, int], monkeypatch) -> None:
    """With weights that weigh onsets at thirds against those at halves."""
    beat, downbeat, flux = np.full(1001, 0.02), np.full(1001, 0.01), np.zeros((4, 1001))
    beat[0::24], downbeat[0::72], flux[:, 0 :: 24 // parts] = 0.9, 0.85, 1.0
    listener = BeatListener.from_preset("mini")
    with torch.no_grad():
        listener.division.weight.zero_()
        listener.division.bias.zero_()
        listener.division.weight[0, [4, 8]], listener.division.weight[0, 6] = 0.5, -1.0
    heard = Activations(beat, downbeat, np.full(1001, 0.5), flux)
    monkeypatch.setattr(listener, "activations", lambda audio: heard)
    found = listener.beats(Audio(np.zeros((1, 100), np.float32), RATE))
    assert found.metre == metre and found.triple == (parts == 3)
    assert found.tempo == pytest.approx(60 * FRAME_RATE / 24, rel=0.01)
    features = heard.division(found)
    assert features.shape == listener.division.weight.shape[1:] and np.isfinite(features).all()


def test_the_division_is_fitted_to_the_answers(clips: HeardClips) -> None:
    """Of clips that are told to be compound all over, or simple all over."""
    listener = BeatListener.from_preset("mini").eval()
    for metre in ((6, 8), (4, 4)):
        told = HeardClips(clips.mel, clips.pitch, [replace(label, metre=metre) for label in clips.labels])
        train.fit_division(listener, told)
        for mel in clips.mel:
            found = Activations.from_outputs(listener.heard(mel[None].float())[0].numpy())
            features = torch.from_numpy(found.division(found.path()))
            assert (float(listener.division(features).detach()) > 0) == (metre == (6, 8))


def test_smoothing_bridges_a_slip_and_keeps_a_change() -> None:
    scores = np.full((3, 40), np.log(0.1))
    scores[1, :20], scores[2, 20:] = np.log(0.8), np.log(0.8)
    scores[:, 7] = np.log([0.1, 0.1, 0.8])
    states = smooth(scores)
    assert (states[:20] == 1).all() and (states[20:] == 2).all()
    found = spans(np.array([5, 5, 9, 9]), seconds=0.4)
    assert [(round(s.start, 2), round(s.end, 2)) for s in found] == [(0.0, 0.15), (0.15, 0.4)]


def test_a_frame_depends_on_what_the_stack_reaches() -> None:
    stack = DilatedStack(width=4, dilations=(1, 2), kernel_size=3).eval()
    x = torch.randn(1, 4, 41, requires_grad=True)
    stack(x)[0, :, 20].sum().backward()
    assert x.grad is not None
    seen = x.grad[0].abs().sum(0).nonzero()[:, 0]
    assert (int(seen.min()), int(seen.max())) == (20 - stack.reach, 20 + stack.reach)


@pytest.mark.parametrize("name", ["beats", "chords", "tags"])
def test_training_lowers_the_loss_and_repeats_itself(name: str, clips: HeardClips, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(train, "FEWEST", 1)
    monkeypatch.setattr(tags, "FEWEST", 1)
    monkeypatch.setattr(train, "TOLD_EVERY", 7)
    told: list[float] = []
    longer = train.TRAIN[name](clips, steps=8, seed=0, progress=lambda step, loss: told.append(loss))
    assert len(told) == 2 and told[1] < told[0]
    assert not longer.training
    path = train.write(name, clips, held=clips, steps=2, seed=0, folder=tmp_path)
    loaded, again = type(longer).load(path), train.TRAIN[name](clips, steps=2, seed=0)
    assert loaded.parameter_count == again.parameter_count and not loaded.training
    for kept, made in zip(loaded.parameters(), again.parameters(), strict=True):
        assert torch.equal(kept, made.half().float())
    if isinstance(loaded, TagListener):
        assert (loaded.thresholds != 0.5).any() and len(again.thresholds) == len(loaded.names)
    with pytest.raises(WeightsError):
        type(loaded).load(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("samples", [1, 100, RATE, RATE * 3 + 17])
def test_any_length_rate_and_channels(samples: int) -> None:
    torch.manual_seed(0)
    wave = np.random.default_rng(0).normal(size=(3, samples)).astype(np.float32) * 0.1
    audio = Audio(wave, RATE)
    beats, chords = BeatListener.from_preset("mini"), ChordListener.from_preset("mini")
    tags = TagListener.from_preset("mini", names=NAMES)
    assert beats.activations(audio).beat.shape == (samples // MEL_HOP + 1,)
    assert np.isfinite(beats.activations(audio).downbeat).all()
    assert len(beats.beats(audio).times) >= 0
    found = chords.chords(audio)
    assert found[0].start == 0 and found[-1].end == pytest.approx(audio.seconds)
    assert tags.probabilities(audio).shape == (5,) and np.isfinite(tags.probabilities(audio)).all()
    heard = tags.tags(audio, least=0.0)
    assert [len(heard[kind]) for kind in ("family", "genre", "mood")] == [2, 2, 1]
    assert tags.tags(audio, least=1.1) == {"family": [], "genre": [], "mood": []}
    tags.thresholds.copy_(torch.tensor([0.0, 1.1, 1.1, 0.0, 1.1]))
    assert [[tag for tag, _ in tags.tags(audio)[kind]] for kind in ("family", "genre", "mood")] == [
        ["piano"], ["rock"], []
    ]  # fmt: skip
    again = beats.activations(audio).beat
    assert np.array_equal(again, beats.activations(audio).beat)


def test_pitch_classes_go_round() -> None:
    torch.manual_seed(0)
    layer, x = Circular(3, 5), torch.randn(2, 3, 12, 7)
    torch.testing.assert_close(layer(torch.roll(x, 4, dims=2)), torch.roll(layer(x), 4, dims=2))
    naive = sum(layer.convolution.weight[:, :, k, 0] @ x[0, :, (2 + k) % 12] for k in range(12))
    torch.testing.assert_close(layer(x)[0, :, 2], naive + layer.convolution.bias[:, None])


def test_the_level_of_a_sound_does_not_matter() -> None:
    torch.manual_seed(0)
    wave = np.random.default_rng(1).normal(size=(1, RATE)).astype(np.float32)
    beats = BeatListener.from_preset("mini")
    loud, soft = beats.activations(Audio(wave, RATE)), beats.activations(Audio(0.01 * wave, RATE))
    np.testing.assert_allclose(loud.beat, soft.beat, atol=1e-4)


def test_what_ships_hears_a_steady_beat() -> None:
    factory = clip_factory(load_corpus("compact", split="test", limit=60), seed=77, seconds=12.0)
    import mir_eval

    clips = [factory.clip(index) for index in range(4)]
    listener = BeatListener.load()
    scores = [mir_eval.beat.f_measure(clip.beats, listener.beats(clip.audio).times) for clip in clips]
    assert np.mean(scores) > 0.7


def test_the_best_threshold_is_the_one_a_search_finds() -> None:
    generator = np.random.default_rng(3)
    for _ in range(20):
        labels = (generator.random(12) < 0.4).astype(float)
        labels[0] = 1
        probabilities = np.round(generator.random(12), 1)  # with equals

        def f1(threshold: float, labels=labels, probabilities=probabilities) -> float:
            said = probabilities >= threshold
            return 2 * float((said * labels).sum()) / (said.sum() + labels.sum())

        assert f1(best_threshold(probabilities, labels)) == max(f1(value) for value in probabilities)


def test_a_tag_that_few_clips_have_keeps_its_threshold() -> None:
    listener = TagListener.from_preset("mini", names=("genre: jazz", "genre: rock"))
    heard = np.array([[0.2, 0.9], [0.6, 0.8], [0.1, 0.1]]).repeat(tags.FEWEST, 0)
    labels = np.array([[0, 0], [1, 0], [0, 0]]).repeat(tags.FEWEST, 0)
    labels[: tags.FEWEST - 1, 1] = 1
    listener.calibrate(heard, labels)
    assert listener.thresholds.tolist() == pytest.approx([0.4, 0.5])


def test_tags_hear_pitch_classes_whatever_the_root() -> None:
    torch.manual_seed(0)
    listener = TagListener.from_preset("mini", names=NAMES).eval()
    mel, pitch = torch.rand(1, 81, 200), torch.zeros(1, 144, 40)
    pitch[:, 48:56:4] = 1.0  # two tones
    moved = torch.roll(pitch, 6, dims=1)  # three semitones up
    other = pitch.clone()
    other[:, 58] = 1.0
    torch.testing.assert_close(listener(mel, pitch), listener(mel, moved))
    assert not torch.allclose(listener(mel, pitch), listener(mel, other), atol=1e-4)


def test_a_cut_keeps_its_share_from_where_it_is_told() -> None:
    spectra = torch.arange(10.0).expand(2, 3, 10)
    assert train.cut(spectra, 0.5, at=0.0)[0, 0].tolist() == [0, 1, 2, 3, 4]
    assert train.cut(spectra, 0.5, at=1.0)[0, 0].tolist() == [5, 6, 7, 8, 9]
    assert train.cut(spectra, 1.0, at=0.7).shape == spectra.shape


def test_silence_between_sounds_is_no_chord() -> None:
    wave = np.zeros((1, RATE * 6), np.float32)
    wave[:, : RATE * 2] = 0.2 * np.sin(2 * np.pi * 220 * np.arange(RATE * 2) / RATE)
    audio = Audio(wave, RATE)
    assert soft_frames(audio, 61).tolist() == [False] * 21 + [True] * 40
    torch.manual_seed(0)
    found = ChordListener.from_preset("mini").chords(audio)
    assert found[-1].chord == Chord.parse("N") and found[-1].start < 2.5
