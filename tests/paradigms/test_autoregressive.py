"""Drawing tokens: by given uniforms, from the likeliest, under a grammar, row by row."""

import math

import numpy as np
import pytest
import torch

from orchestrion.paradigms.autoregressive import choose, next_token_loss, sample

HALVES = torch.tensor([0.5, 0.25, 0.125, 0.125]).log()


def draw(uniform, **options):
    return choose(HALVES[None], torch.tensor([uniform]), **options).item()


def test_uniforms_are_read_along_the_distribution():
    assert [draw(u) for u in (0.0, 0.49, 0.51, 0.74, 0.76, 0.88, 0.9999, 1.0)] == [0, 0, 1, 1, 2, 3, 3, 3]


def test_a_draw_of_one_is_still_a_class_that_may_come():
    assert draw(1.0, allowed=torch.tensor([[True, True, False, False]])) == 1
    assert draw(1.0, top_k=1) == 0


def test_temperature_sharpens():
    logits, uniform = HALVES.repeat(999, 1), torch.linspace(0, 0.999, 999)
    shares = [(choose(logits, uniform, temperature=t) == 0).float().mean().item() for t in (0.0, 0.5, 1.0, 4.0)]
    expected = [1, 0.25 / (0.25 + 1 / 16 + 2 / 64), 0.5, 0.5**0.25 / (0.5**0.25 + 0.25**0.25 + 2 * 0.125**0.25)]
    assert shares == pytest.approx(expected, abs=0.003)


def test_only_the_likeliest():
    uniform = torch.linspace(0, 0.999, 999)
    logits = HALVES.repeat(999, 1)
    assert set(choose(logits, uniform, top_k=2).tolist()) == {0, 1}
    assert set(choose(logits, uniform, top_p=0.5).tolist()) == {0}
    assert set(choose(logits, uniform, top_p=0.6).tolist()) == {0, 1}
    with pytest.raises(ValueError, match="top_p"):
        draw(0.5, top_p=0.0)
    with pytest.raises(ValueError, match="temperature"):
        draw(0.5, temperature=-1.0)


def test_loss_leaves_out_what_is_ignored():
    logits = torch.zeros(1, 3, 4)
    assert next_token_loss(logits, torch.tensor([[1, 2, 0]])).item() == pytest.approx(math.log(4))
    logits[0, 2, 0] = 50.0
    assert next_token_loss(logits, torch.tensor([[1, 2, 0]]), ignore=0).item() == pytest.approx(math.log(4))
    assert next_token_loss(logits, torch.tensor([[1, 2, 0]])).item() == pytest.approx(math.log(4) * 2 / 3)


class Counting:
    """Allows 1 to 3, in turn, and ends after the third."""

    def __init__(self):
        self.count, self.done = 0, False

    def allowed(self):
        mask = np.zeros(8, dtype=bool)
        mask[self.count + 1] = True
        return mask

    def advance(self, token):
        assert token == self.count + 1
        self.count += 1
        self.done = self.count == 3


def test_a_grammar_leads():
    written = sample(
        lambda newest: torch.randn(len(newest), 8),
        start=torch.zeros(2, 1, dtype=torch.long),
        generators=[torch.Generator().manual_seed(i) for i in range(2)],
        max_steps=9,
        grammars=[Counting(), Counting()],
    )
    assert written == [[1, 2, 3], [1, 2, 3]]


def run(seeds, end=None, dropping=True):
    """Samples from fixed logits; with `dropping`, rows leave when they end."""
    sizes = []

    def step(newest):
        sizes.append(len(newest))
        return HALVES.repeat(len(newest), 1)

    written = sample(
        step,
        start=torch.zeros(len(seeds), 1, dtype=torch.long),
        generators=[torch.Generator().manual_seed(seed) for seed in seeds],
        max_steps=40,
        end=end,
        drop=(lambda rows: None) if dropping else None,
    )
    return written, sizes


def test_rows_do_not_depend_on_their_neighbours():
    together, _ = run([1, 2, 3])
    assert [run([seed])[0][0] for seed in (1, 2, 3)] == together
    assert len(together[0]) == 40 and together[0] != together[1]


def test_rows_end_and_leave():
    kept, sizes = run([1, 2, 3], end=3)
    assert all(3 not in row and len(row) < 40 for row in kept)
    assert sizes == sorted(sizes, reverse=True) and sizes[0] == 3
    assert len(sizes) == max(map(len, kept)) + 1
    assert run([1, 2, 3], end=3, dropping=False)[0] == kept
