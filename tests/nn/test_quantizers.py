"""Quantisers: what is nearest, what gradients pass, what training moves, and codes as numbers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.errors import OptionError
from orchestrion.nn.factorized_quantize import FactorizedQuantizer
from orchestrion.nn.quantize import MovingCodebook, ResidualQuantizer
from orchestrion.nn.scalar_quantize import FiniteScalarQuantizer, LookupFreeQuantizer


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_a_codebook_begins_at_the_clusters_of_the_first_batch_and_follows_them():
    torch.manual_seed(0)
    centres = torch.tensor([[0.0, 0.0], [5.0, 5.0], [-5.0, 5.0]])
    vectors = centres.repeat(40, 1) + 0.1 * normal(120, 2)
    book = MovingCodebook(12, 2, decay=0.5, dead_below=0.0).train()
    values, codes = book(vectors)
    assert len(codes.unique()) >= 3
    assert float((values - vectors).norm(dim=1).max()) < 0.6
    for _ in range(20):
        book(vectors + 1)
    assert float((book(vectors + 1)[0] - vectors - 1).norm(dim=1).max()) < 0.6


def test_in_evaluation_nothing_moves():
    book = MovingCodebook(4, 2, kmeans_steps=0).eval()
    before = {name: value.clone() for name, value in book.state_dict().items()}
    book(normal(50, 2))
    assert all(torch.equal(value, before[name]) for name, value in book.state_dict().items())


def test_dead_codes_come_back_but_not_with_the_published_quirk():
    vectors = normal(64, 3)

    def after(quirks):
        torch.manual_seed(1)
        book = MovingCodebook(8, 3, kmeans_steps=0, quirks=quirks).train()
        book.table[4:] = 100.0  # never chosen
        book.sums.copy_(book.table)
        book.counts.fill_(1.0)
        for _ in range(5):
            book(vectors)
        return len(book.nearest(vectors).unique())

    assert after("none") > 4
    assert after("official") <= 4
    with pytest.raises(OptionError, match="quirk"):
        MovingCodebook(2, 2, quirks="other")


def test_residual_stages_come_nearer_and_codes_give_the_values_back():
    torch.manual_seed(2)
    x = normal(4, 6, 50)
    quantizer = ResidualQuantizer(stages=4, size=16, dim=6, dead_below=0.0).train()
    quantizer(x)
    quantizer.eval()
    errors = [float((quantizer(x, stages).values - x).square().mean()) for stages in (1, 2, 3, 4)]
    assert errors == sorted(errors, reverse=True)
    made = quantizer(x)
    torch.testing.assert_close(quantizer.decode(made.codes), made.values)


def test_gradients_pass_a_residual_quantizer_as_if_it_were_not_there():
    torch.manual_seed(3)
    x = normal(1, 4, 9).requires_grad_()
    made = ResidualQuantizer(stages=1, size=8, dim=4).train()(x)
    made.values.sum().backward()
    torch.testing.assert_close(x.grad, torch.ones_like(x))


def test_factorized_search_ignores_length():
    torch.manual_seed(4)
    quantizer = FactorizedQuantizer(stages=2, size=32, dim=6, code_dim=3).eval()
    inner = normal(2, 3, 10)
    stage = quantizer.stages[0]
    assert torch.equal(stage.search(inner), stage.search(7 * inner))
    naive = torch.stack([torch.cosine_similarity(vector[None], stage.table).argmax() for vector in inner[0].T])
    assert torch.equal(stage.search(inner)[0], naive)
    made = quantizer(normal(2, 6, 10))
    torch.testing.assert_close(quantizer.decode(made.codes), made.values)
    torch.testing.assert_close(quantizer.decode_latents(made.latents), made.values)
    with pytest.raises(ValueError, match="whole number"):
        quantizer.decode_latents(made.latents[:, :4])


def test_factorized_dropout_leaves_stages_out_of_the_drawn_items_only():
    torch.manual_seed(5)
    quantizer, x = FactorizedQuantizer(stages=3, size=8, dim=4, code_dim=2).train(), normal(2, 4, 6)
    made = quantizer(x, drawn=torch.tensor([1]))
    torch.testing.assert_close(made.values[0], quantizer.decode(made.codes[:, :1])[0])
    torch.testing.assert_close(made.values[1], quantizer.decode(made.codes)[1])
    whole = quantizer(x)
    assert float(made.commitment.detach()) < float(whole.commitment.detach())
    per_stage = FactorizedQuantizer(stages=2, size=8, dim=4, code_dim=(2, 3))
    assert per_stage(x).latents.shape == (2, 5, 6)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(2, 11), min_size=1, max_size=4), st.integers(0, 99))
def test_finite_scalar_codes_and_values_are_one_to_one(levels, seed):
    quantizer = FiniteScalarQuantizer(levels)
    codes = torch.arange(quantizer.size)[None, None]
    values = quantizer.decode(codes)
    assert torch.equal(quantizer.encode(values), codes[:, 0])
    assert float(values.abs().max()) <= 1
    made = quantizer(3 * normal(2, len(levels), 40, seed=seed))
    torch.testing.assert_close(quantizer.decode(made.codes), made.values.detach())
    assert int(made.codes.max()) < quantizer.size


def test_all_levels_of_a_finite_scalar_are_reached_and_gradients_pass():
    quantizer = FiniteScalarQuantizer([8, 5])
    x = torch.linspace(-6, 6, 400)[None, None].repeat(1, 2, 1).requires_grad_()
    made = quantizer(x)
    assert [len(row.unique()) for row in made.values[0].detach()] == [8, 5]
    made.values.sum().backward()
    assert float(x.grad.min()) > 0
    with pytest.raises(ValueError, match="two levels"):
        FiniteScalarQuantizer([8, 1])


def test_lookup_free_codes_are_the_bits_of_the_signs():
    quantizer = LookupFreeQuantizer(3)
    x = torch.tensor([[[0.5], [-2.0], [0.1]]]).requires_grad_()
    made = quantizer(x)
    assert int(made.codes) == 0b101
    assert made.values.flatten().tolist() == [1, -1, 1]
    assert torch.equal(quantizer.decode(made.codes), made.values.detach())
    made.values.sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))
    codes = torch.arange(8)[None, None]
    assert torch.equal(quantizer.encode(quantizer.decode(codes)), codes[:, 0])
    spread = quantizer.entropy_penalty(quantizer.decode(codes))  # sure, and all codes alike
    stuck = quantizer.entropy_penalty(quantizer.decode(torch.zeros_like(codes)))
    unsure = quantizer.entropy_penalty(torch.zeros(1, 3, 8))
    assert float(spread) == pytest.approx(-3 * 0.6931, abs=1e-3)
    assert float(spread) < float(stuck)
    assert float(spread) < float(unsure)
