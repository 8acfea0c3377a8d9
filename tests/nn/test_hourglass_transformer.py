"""Hourglass transformers against naive attention written here, and what each kind of attention can see."""

import math

import pytest
import torch

from orchestrion.nn import hourglass_transformer
from orchestrion.nn.grid_attention import (
    axial_frequencies,
    axial_rotations,
    coarser_positions,
    cut_windows,
    grid_attend,
    grid_positions,
    join_windows,
    place_and_scale,
)
from orchestrion.nn.hourglass_transformer import GridAttention, HourglassTransformer, PictureCondition


def grids(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, 2, height, width, 2, 8, generator=generator)


def naive(q, k, v, sees):
    """Attention token by token over the places that `sees` names."""
    out = torch.zeros_like(q)
    for y in range(q.shape[1]):
        for x in range(q.shape[2]):
            places = sees(y, x)
            keys = torch.stack([k[:, a, b] for a, b in places], 1)
            values = torch.stack([v[:, a, b] for a, b in places], 1)
            weights = torch.einsum("bhd,bnhd->bnh", q[:, y, x], keys).softmax(1)
            out[:, y, x] = torch.einsum("bnh,bnhd->bhd", weights, values)
    return out


@pytest.mark.parametrize(("height", "width", "window"), [(9, 12, 3), (8, 16, 5), (7, 11, 7), (16, 8, 7)])
def test_neighborhood_attention_is_that_of_each_token(height, width, window):
    q, k, v = grids(height, width)

    def sees(y, x):
        top = min(max(y - window // 2, 0), height - window)
        left = min(max(x - window // 2, 0), width - window)
        return [(a, b) for a in range(top, top + window) for b in range(left, left + window)]

    found = grid_attend(q, k, v, kind="neighborhood", window=window, shift=0)
    torch.testing.assert_close(found, naive(q, k, v, sees), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shift", [0, 2])
def test_window_attention_sees_its_window_and_not_across_the_edge(shift):
    height, width, window = 8, 12, 4
    q, k, v = grids(height, width)

    def sees(y, x):
        def group(place, side):  # windows that begin `shift` earlier; the two parts of the wrapped one are apart
            return -1 if place >= side - shift else (place + shift) // window

        return [
            (a, b)
            for a in range(height)
            for b in range(width)
            if group(a, height) == group(y, height) and group(b, width) == group(x, width)
        ]

    found = grid_attend(q, k, v, kind="shifted_window", window=window, shift=shift)
    torch.testing.assert_close(found, naive(q, k, v, sees), rtol=1e-4, atol=1e-5)


def test_global_attention_and_refusals():
    q, k, v = grids(4, 4)
    everything = [(a, b) for a in range(4) for b in range(4)]
    found = grid_attend(q, k, v, kind="global", window=0, shift=0)
    torch.testing.assert_close(found, naive(q, k, v, lambda y, x: everything), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="smaller than a neighbourhood"):
        grid_attend(q, k, v, kind="neighborhood", window=5, shift=0)
    with pytest.raises(ValueError, match="no multiple of windows"):
        grid_attend(q, k, v, kind="shifted_window", window=3, shift=0)
    with pytest.raises(ValueError, match="unknown attention"):
        grid_attend(q, k, v, kind="none", window=3, shift=0)


def test_positions():
    places = grid_positions(2, 4)
    assert places[0, :, 1].tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert places[:, 0, 0].tolist() == [-0.25, 0.25]
    torch.testing.assert_close(coarser_positions(grid_positions(4, 8)), grid_positions(2, 4))
    frequencies = axial_frequencies(2, 16)
    assert frequencies.shape == (2, 2) and math.isclose(float(frequencies[0, 0]), math.pi, rel_tol=1e-5)
    assert float(frequencies.max()) < 10 * math.pi
    with pytest.raises(ValueError, match="multiple of 8"):
        axial_frequencies(2, 12)


def test_queries_and_keys_have_their_length_and_compare_by_distance():
    """A turn by place changes no length, and products depend on the difference of places only."""
    table = axial_rotations(grid_positions(4, 4), axial_frequencies(1, 8))
    same = torch.ones(1, 4, 4, 2, 1, 8)
    placed = place_and_scale(same, torch.tensor([9.0]), table)
    torch.testing.assert_close(placed.square().sum(-1), torch.full((1, 4, 4, 2, 1), 9.0), rtol=1e-4, atol=1e-4)
    product = (placed[0, 0, :3, 0, 0] * placed[0, 0, 1:, 1, 0]).sum(-1)
    torch.testing.assert_close(product, product[:1].expand(3))


@pytest.mark.parametrize("shift", [0, 1])
def test_windows_are_cut_and_joined_again(shift):
    x = torch.arange(2 * 4 * 6, dtype=torch.float32).view(2, 4, 6, 1)
    cut = cut_windows(x, window=2, shift=shift)
    moved = x.roll((shift, shift), (1, 2))
    assert torch.equal(cut[0], moved[0, :2, :2]) and torch.equal(cut[1], moved[0, :2, 2:4])
    assert torch.equal(cut[3], moved[0, 2:, :2]) and torch.equal(cut[6], moved[1, :2, :2])
    assert torch.equal(join_windows(cut, height=4, width=6, shift=shift), x)


@pytest.mark.parametrize("shift", [0, 2])
def test_the_angles_of_one_window_serve_all(shift):
    torch.manual_seed(0)
    layer = GridAttention(width=16, head_dim=8, kind="shifted_window", window=4, shift=shift, dropout=0.0)
    torch.nn.init.normal_(layer.to_out.weight)
    x = torch.randn(2, 8, 12, 16)
    table = axial_rotations(grid_positions(8, 12), axial_frequencies(2, 8))
    q, k, v = layer._project(x, table)  # turned by the place in the whole grid
    expected = layer.to_out(grid_attend(q, k, v, kind="shifted_window", window=4, shift=shift).flatten(3))
    torch.testing.assert_close(layer(x, table), expected, rtol=1e-4, atol=1e-5)


def test_windows_that_were_first_cut_in_inference_can_be_learned_through():
    with torch.inference_mode():
        cut_windows(torch.zeros(1, 10, 10, 3), window=5, shift=2)
    x = torch.ones(1, 10, 10, 3, requires_grad=True)
    cut_windows(x, window=5, shift=2).sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))


def network(**changes):
    sizes = {
        "channels": 3, "patch_size": (2, 4), "widths": (16, 24), "depths": (2, 1), "feed_forwards": (32, 48),
        "attentions": ("shifted_window", "global"), "head_dims": (8, 8), "windows": (2, 0), "dropouts": (0.0, 0.0),
        "mapping_width": 16, "mapping_depth": 1, "mapping_feed_forward": 32,
    }  # fmt: skip
    torch.manual_seed(0)
    made = HourglassTransformer(**{**sizes, **changes})
    for value in made.parameters():
        if value.ndim > 1:
            torch.nn.init.normal_(value, std=0.2)
    return made.eval()


def test_what_is_told_changes_what_comes_out():
    model = network(num_classes=4, condition_width=5)
    x, time = torch.randn(2, 3, 8, 16), torch.tensor([0.1, 0.5])
    told = PictureCondition(torch.zeros(2, 9), torch.tensor([0, 1]), torch.zeros(2, 5))
    with torch.no_grad():
        before = model(x, time, told)
        assert torch.equal(model(x, time, PictureCondition(None, told.classes, told.vector)), before)
        for other in (
            PictureCondition(torch.ones(2, 9), told.classes, told.vector),
            PictureCondition(told.augmentation, torch.tensor([2, 3]), told.vector),
            PictureCondition(told.augmentation, told.classes, torch.ones(2, 5)),
        ):
            assert (model(x, time, other) - before).abs().max() > 1e-3
        assert (model(x, time + 1, told) - before).abs().max() > 1e-3
        alone = model(x[1:], time[1:], PictureCondition(None, told.classes[1:], told.vector[1:]))
        torch.testing.assert_close(alone, before[1:], rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="classes must be given"):
        model(x, time)
    with pytest.raises(ValueError, match="vector must be given"):
        network()(x, time, PictureCondition(vector=torch.zeros(2, 5)))


def test_a_new_network_gives_nothing_and_every_weight_learns():
    torch.manual_seed(0)
    model = network()
    fresh = HourglassTransformer(
        channels=3, patch_size=(2, 4), widths=(16, 24), depths=(2, 1), feed_forwards=(32, 48),
        attentions=("none", "neighborhood"), head_dims=(8, 8), windows=(0, 3), dropouts=(0.0, 0.0), mapping_width=16,
        mapping_depth=1, mapping_feed_forward=32,
    )  # fmt: skip
    assert not fresh(torch.randn(1, 3, 12, 24), torch.zeros(1)).any()
    model(torch.randn(1, 3, 8, 16), torch.zeros(1)).square().mean().backward()
    assert all(value.grad is not None and value.grad.any() for name, value in model.named_parameters())


def test_sizes_that_do_not_fit():
    with pytest.raises(ValueError, match="is no multiple of"):
        network()(torch.zeros(1, 3, 6, 16), torch.zeros(1))
    with pytest.raises(ValueError, match="differ in length"):
        network(depths=(1,))
    with pytest.raises(ValueError, match="unknown attention"):
        network(attentions=("global", "local"))
    with pytest.raises(ValueError, match="not a multiple of heads"):
        network(head_dims=(8, 16))


def test_groups_hold_every_parameter_once():
    model = network(num_classes=2)
    groups = model.parameter_groups(learning_rate=3e-4)
    assert sorted(id(p) for group in groups for p in group["params"]) == sorted(id(p) for p in model.parameters())
    rate = {id(p): (group["lr"], group.get("weight_decay")) for group in groups for p in group["params"]}
    assert rate[id(model.mapping.blocks[0].up.weight)] == (pytest.approx(1e-4), None)
    assert rate[id(model.down[0][0].feed_norm.linear.weight)] == (pytest.approx(1e-4), None)
    assert rate[id(model.merges[0].linear.weight)] == (3e-4, None)
    assert rate[id(model.time_in.weight)] == (3e-4, 0.0)
    assert rate[id(model.down[0][0].attention.scale)] == (3e-4, 0.0)


def test_parts_of_a_picture_and_pictures_one_by_one_give_the_same(monkeypatch):
    model, x, time = network(), torch.randn(3, 3, 8, 16), torch.tensor([0.1, 0.5, 0.9])
    learning = model(x, time).detach()
    with torch.no_grad():
        for name, size in (("INNER_NUMBERS", 100), ("LARGE_PICTURE", 1)):
            monkeypatch.setattr(hourglass_transformer, name, size)
            largest = float(learning.abs().max())
            torch.testing.assert_close(
                model(x, time), learning, rtol=0, atol=1e-4 * largest
            )  # other orders of sums, through many layers
