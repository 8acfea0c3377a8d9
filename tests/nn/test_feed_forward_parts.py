"""The gated feed-forward layer in parts gives what it gives at once."""

from __future__ import annotations

import torch

from orchestrion.nn.spatial_attention import PLACES, GatedFeedForward


def test_parts_give_the_same():
    torch.manual_seed(0)
    layer = GatedFeedForward(24).eval()
    for places in (1, PLACES // 2, PLACES, PLACES + 3):
        x = torch.randn(2, places, 24)
        wanted = layer(x)
        with torch.no_grad():
            torch.testing.assert_close(layer(x), wanted, atol=1e-5, rtol=1e-5)
            turned = x.transpose(0, 1).contiguous().transpose(0, 1)  # places not one after the other in memory
            torch.testing.assert_close(layer(turned), wanted, atol=1e-5, rtol=1e-5)


def test_dropout_still_acts_in_training():
    torch.manual_seed(0)
    layer = GatedFeedForward(24, dropout=0.5).train()
    x = torch.randn(1, 40, 24)
    with torch.no_grad():
        assert not torch.equal(layer(x), layer(x))
