"""Pictures of MIDI: what is kept, what masks and repeats do, training pictures, seeds, and what is refused."""

import numpy as np
import pytest
import symusic
import torch

from orchestrion.data.piece import Piece
from orchestrion.errors import InputError, OptionError, WeightsError
from orchestrion.hub.official import pictures_of_midi as official
from orchestrion.representations.paint_masks import KEPT, shape_mask
from orchestrion.representations.painting import piece_columns
from orchestrion.systems.pictures_of_midi import PicturesOfMidi
from orchestrion.training.roll_crops import RollCrops, to_pictures, to_tensor
from orchestrion.training.stage import Share


def tiny(*, drawn=True, **changes):
    """A network small enough to be run many times; its weights are drawn, so that it paints something."""
    torch.manual_seed(0)
    sizes = {
        "lowest": 48, "pitches": 32, "columns": 32, "stacked": False, "widths": (16, 24), "depths": (1, 1),
        "feed_forwards": (32, 48), "attentions": ("shifted_window", "global"), "head_dims": (8, 8), "windows": (4, 0),
        "dropouts": (0.0, 0.0), "mapping_width": 16, "mapping_depth": 1, "mapping_feed_forward": 32,
        "sampling_steps": 4, "repaint": 1, "batch_size": 4, "training_steps": 4, "tracks": "all",
    }  # fmt: skip
    model = PicturesOfMidi(**{**sizes, **changes})
    for value in model.network.parameters():
        if value.ndim > 1 and drawn:
            torch.nn.init.normal_(value, std=0.3)
    return model.eval()


@pytest.fixture(scope="module")
def model():
    return tiny()


def tune(bars=4, pitch=60):
    score = symusic.Score(480)
    score.time_signatures.append(symusic.TimeSignature(0, 4, 4))
    score.tempos.append(symusic.Tempo(0, 100.0))
    score.tempos.append(symusic.Tempo(1920, 120.0))
    for name, base, drum in (("tune", pitch, False), ("low", pitch - 9, False), ("kit", 38, True)):
        track = symusic.Track(name, 11, drum)
        for beat in range(4 * bars):
            track.notes.append(symusic.Note(480 * beat + 13, 300, base + beat % 7, 77))
        score.tracks.append(track)
    return score


def rows(track):
    return [(note.time, note.duration, note.pitch, note.velocity) for note in track.notes]


def test_what_lies_outside_of_the_mask_is_kept_note_for_note(model):
    score = tune()
    before = [rows(track) for track in score.tracks]
    mask = shape_mask("rising", piece_columns(score, 4), low=50, high=76)
    made = model.paint(score, mask=mask, seed=1)
    assert [rows(track) for track in score.tracks] == before  # the score that was given is as it was
    removed = 0
    for index, track in enumerate(before):
        stays = [row for row in track if index == 2 or not mask[127 - row[2], int(np.floor(row[0] / 120 + 0.5))]]
        removed += len(track) - len(stays)
        assert rows(made.score.tracks[index]) == stays
    new = rows(made.score.tracks[3])
    assert new and all(mask[127 - pitch, start // 120] for start, _, pitch, _ in new)
    assert made.report["painted"] == len(new) and made.report["removed"] == removed > 0
    assert [(t.time, round(t.qpm)) for t in made.score.tempos] == [(0, 100), (1920, 120)]


def test_the_mask_and_the_seed_matter_and_nothing_else_is_remembered(model):
    columns = piece_columns(tune(), 4)
    rising, falling = (shape_mask(name, columns, low=50, high=76) for name in ("rising", "falling"))
    first = rows(model.paint(tune(), mask=rising, seed=5).score.tracks[-1])
    assert rows(model.paint(tune(), mask=falling, seed=5).score.tracks[-1]) != first
    assert rows(model.paint(tune(), mask=rising, seed=6).score.tracks[-1]) != first
    model.continue_(tune(), bars=1, seed=0)
    assert rows(model.paint(tune(), mask=rising, seed=5).score.tracks[-1]) == first
    twice = rows(model.paint(tune(), mask=rising, seed=5, repaint=2).score.tracks[-1])
    assert twice != first


def test_the_known_part_changes_what_is_painted(model):
    mask = shape_mask("continuation", piece_columns(tune(), 4), low=48, high=79)
    made = [rows(model.paint(tune(pitch=pitch), mask=mask, seed=2).score.tracks[-1]) for pitch in (60, 64)]
    assert made[0] != made[1]


def test_soft_masks_let_go_late(model):
    hard = np.full((32, 32), KEPT)
    hard[:, 16:] = 0.0
    known = np.zeros((32, 32, 3), dtype=np.uint8)
    kept = model.sample(known, hard, generator=torch.Generator().manual_seed(0))[0]
    assert not kept[:, :16].any()
    late = model.sample(known, np.minimum(hard, 1.0), generator=torch.Generator().manual_seed(0))[0]
    assert late[:, :16].any()


def test_candidates_are_chosen_by_their_notes(model):
    mask = np.zeros((32, 32))
    pictures = model.sample(n=8, generator=torch.Generator().manual_seed(0))
    counts = model.onsets(pictures, mask)
    chosen = [counts[model._choose(pictures, type("W", (), {"mask": mask}), busy)] for busy in (0, 25, 50, 75, 100)]
    assert chosen == sorted(chosen) and (chosen[0], chosen[-1]) == (min(counts), max(counts)) and chosen[0] < chosen[-1]


def test_continuing_and_infilling(model):
    longer = model.continue_(tune(), bars=2, seed=0).score
    for index, track in enumerate(tune().tracks):
        assert rows(longer.tracks[index])[: len(track.notes)] == rows(track)
    assert len(longer.tracks) == 3 and all(row[0] < 6 * 1920 for track in longer.tracks for row in rows(track))
    assert sum(len(track.notes) for track in longer.tracks) > 48
    filled = model.infill(tune(), bars=(1, 2), tracks=["Tune"], seed=0).score
    for index, track in enumerate(tune().tracks):
        outside = [row for row in rows(track) if not 1920 <= row[0] < 3840 or index > 0]
        kept = set(outside) <= set(rows(filled.tracks[index]))
        assert kept and (index == 0 or rows(filled.tracks[index]) == rows(track))
    assert rows(filled.tracks[0]) != rows(tune().tracks[0])


def test_stacked_networks_see_the_same_picture_folded():
    model = tiny(stacked=True, columns=64)
    assert model.size == (64, 32)
    known = np.random.default_rng(0).integers(0, 256, (32, 64, 3)).astype(np.uint8)
    mask = np.full((32, 64), KEPT)
    mask[:8, 40:50] = 0
    made = model.sample(known, mask, generator=torch.Generator().manual_seed(0))[0]
    assert np.array_equal(made[mask > 1], known[mask > 1]) and not np.array_equal(made, known)


def test_training_pictures():
    crops = RollCrops(
        [Piece("a", score=tune()), Piece("b"), Piece("c", score=symusic.Score(480))],
        columns=32, columns_per_quarter=4, lowest=48, pitches=32, transpose=0,
    )  # fmt: skip
    assert len(crops) == 1 and crops.rolls[0].bars.tolist() == [0, 16, 32]
    seen = {crops.draw(0, np.random.default_rng(seed)).tobytes() for seed in range(12)}
    assert len(seen) == 3  # one for each bar that it may begin with
    x = crops.batch([0, 0], np.random.default_rng(0), stacked=True)
    assert x.shape == (2, 3, 64, 16) and float(x.min()) == -1 and float(x.max()) <= 1
    pictures = np.stack([crops.draw(0, np.random.default_rng(seed)) for seed in range(2)])
    assert np.array_equal(to_pictures(to_tensor(pictures)), pictures)
    moved = RollCrops([Piece("a", score=tune())], columns=32, columns_per_quarter=4, lowest=48, pitches=32, transpose=5)
    assert len({moved.draw(0, np.random.default_rng(seed)).tobytes() for seed in range(12)}) > 3


def test_crops_end_before_their_piece_does():
    sizes = {"columns": 48, "columns_per_quarter": 4, "lowest": 48, "pitches": 32, "transpose": 0}
    long, short = Piece("a", score=tune(5)), Piece("b", score=tune(2))
    crops = RollCrops([short, long], **sizes)
    assert len(crops) == 1 and crops.rolls[0].bars.tolist() == [0, 16, 32]
    for seed in range(8):
        assert crops.draw(0, np.random.default_rng(seed))[:, -16:].any()
    only = RollCrops([short], **sizes)  # better silence at the end than nothing to learn from
    assert only.rolls[0].bars.tolist() == [0] and not only.rolls[0].whole


def test_training_learns(model):
    torch.manual_seed(0)
    system = tiny(learning_rate=1e-2, drawn=False)
    (stage,) = system.stages([Piece("a", score=tune())], [Piece("a", score=tune())])
    (objective,) = stage.objectives
    optimiser = objective.optimiser(list(system.parameters()))
    torch.manual_seed(0)
    batch = stage.data(0, Share())
    assert batch.shape == (4, 3, 32, 32)
    before = stage.validate()["loss"]
    for _ in range(5):
        objective.loss(batch).value.backward()
        optimiser.step()
        optimiser.zero_grad()
    assert stage.validate()["loss"] < 0.8 * before


def test_what_is_refused(model):
    columns = piece_columns(tune(), 4)
    mask = shape_mask("all", columns)
    for options, said in (
        ({"repaint": 0}, "repaint is 0"), ({"repaint": 99}, "from 1 to 20"), ({"steps": 0}, "steps is 0"),
        ({"candidates": 0}, "0 candidates"), ({"busy": 101.0}, "at 101 percent"),
    ):  # fmt: skip
        with pytest.raises(OptionError, match=said):
            model.paint(tune(), mask=mask, **options)
    with pytest.raises(OptionError, match="no temperature"):
        model.continue_(tune(), bars=1, temperature=0.5)
    with pytest.raises(OptionError, match="at least 1"):
        model.continue_(tune(), bars=0)
    with pytest.raises(OptionError, match="not in the piece"):
        model.infill(tune(), bars=(8, 9))
    with pytest.raises(OptionError, match="no track 'flute'"):
        model.infill(tune(), bars=(0, 1), tracks=["flute"])
    with pytest.raises(InputError, match="No piece of the corpus has notes"):
        model.stages([], [])
    for changes, said in (
        ({"quirks": "mine"}, "quirks is 'mine'"), ({"density": "flat"}, "density is 'flat'"),
        ({"lowest": 100}, "not all within"), ({"widths": (16,)}, "no such network"),
    ):  # fmt: skip
        with pytest.raises(OptionError, match=said):
            tiny(**changes)
    with pytest.raises(OptionError, match="Only networks of colour pictures"):
        tiny(num_classes=3).sample()
    with pytest.raises(OptionError, match="without conditions"):
        tiny(condition_width=3).stages([Piece("a", score=tune())], [])


def official_config(**changes):
    model = {
        "type": "image_transformer_v2", "input_channels": 3, "input_size": [256, 256], "patch_size": [4, 4],
        "depths": [2, 2, 4], "widths": [128, 256, 512], "self_attns": None, "dropout_rate": [0.0, 0.0, 0.1],
        "sigma_data": 0.5, "sigma_min": 0.01, "sigma_max": 160, "loss_weighting": "soft-min-snr",
    }  # fmt: skip
    return {"model": {**model, **changes}, "dataset": {"num_classes": 0}}


def test_published_configurations():
    made = official.arguments(official_config())
    paper = PicturesOfMidi.from_preset("paper")
    with torch.device("meta"):
        ours = PicturesOfMidi(**made)
    assert ours.size == paper.size == (256, 256) and ours.stacked
    assert ours.parameter_count == paper.parameter_count == 22_361_274
    u = torch.tensor([0.2, 0.9])
    torch.testing.assert_close(ours.edm.levels(u), paper.edm.levels(u))
    assert (ours.edm.weighting, ours.edm.sigma_max) == ("soft_min_snr", 160.0)
    one = official.arguments(official_config(dropout_rate=0.1, loss_config="simple"))
    assert one["dropouts"] == (0.1, 0.1, 0.1) and one["weighting"] == "snr"
    for kind, name in official.DENSITIES.items():
        spread = {"mean": 0.0, "std": 1.0} if kind == "lognormal" else {}
        spread = {"mean": 0.0, "std_1": 1.0, "std_2": 2.0} if kind == "split-lognormal" else spread
        spread = {"scale": 0.5} if kind == "loglogistic" else spread
        made = official.arguments(official_config(sigma_sample_density={"type": kind, **spread}))
        assert made["density"] == name
        with torch.device("meta"):
            edm = PicturesOfMidi(**made).edm
        assert torch.isfinite(edm.levels(torch.tensor([0.3, 0.6]))).all()
    for changes, said in (
        ({"type": "image_v1"}, "another network"), ({"has_variance": True}, "variance"), ({"colour": 1}, "'colour'"),
        ({"self_attns": [{"type": "local"}] * 3}, "'local'"), ({"loss_weighting": "mine"}, "'mine'"),
        ({"sigma_sample_density": {"type": "flat"}}, "'flat'"),
    ):  # fmt: skip
        with pytest.raises(WeightsError, match=said):
            official.arguments(official_config(**changes))


def test_published_checkpoints_are_read_by_their_average(tmp_path):
    state = {"merges.0.proj.weight": torch.zeros(2, 2), "mid_level.0.self_attn.scale": torch.ones(2)}
    torch.save(
        {"model": {}, "model_ema": {f"inner_model.{key}": value for key, value in state.items()}}, tmp_path / "a"
    )
    assert set(official.read(tmp_path / "a")) == {"network.merges.0.linear.weight", "network.down.1.0.attention.scale"}
    with pytest.raises(WeightsError, match="belongs to no network"):
        official.convert({"mid_level.0.colour": torch.zeros(1)})
    with pytest.raises(WeightsError, match="other frequencies"):
        official.convert({"mid_level.0.self_attn.pos_emb.freqs": torch.ones(2, 2)})
