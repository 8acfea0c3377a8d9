"""Grids with masked cells: spans are masked together, and only what is masked costs."""

import torch
from torch.nn import functional

from orchestrion.paradigms.masked_grids import cell_cross_entropy, draw_masks


def test_cells_of_a_span_are_masked_together():
    torch.manual_seed(0)
    begins = (torch.arange(32) % 8 == 0).expand(64, -1)
    masks = draw_masks(torch.full((64,), 0.5), begins, rows=4, held=slice(2, None))
    spans = masks[:, 2:].view(64, 2, 4, 8)
    assert bool((spans == spans[..., :1]).all())
    assert not bool((masks[:, 0] == masks[:, 0, :1]).all())
    assert abs(float(masks.float().mean()) - 0.5) < 0.1
    sure = draw_masks(torch.tensor([0.0, 1.0]), begins[:2], rows=4, held=slice(2, None))
    assert not sure[0].any() and bool(sure[1].all())


def test_cost_of_masked_cells_among_the_classes_of_their_rows():
    torch.manual_seed(0)
    weight = torch.randn(9, 5)
    classes = [torch.tensor([0, 2, 3]), torch.tensor([4, 5, 8])]
    hidden, cells = torch.randn(2, 2, 7, 5), torch.rand(2, 2, 7) < 0.5
    tokens = torch.stack([own[torch.randint(3, (2, 7))] for own in classes], 1)
    found = cell_cross_entropy(hidden, tokens, cells, head=lambda h, own: h @ weight[own].T, classes=classes)
    for row, own in enumerate(classes):
        logits = torch.full((2, 7, 9), -torch.inf)
        logits[..., own] = (hidden[:, row] @ weight.T)[..., own]
        naive = functional.cross_entropy(logits.flatten(0, 1), tokens[:, row].flatten(), reduction="none").view(2, 7)
        torch.testing.assert_close(found[:, row], naive * cells[:, row])
