"""Recurrent parts of short music: several items at once, without gradient, go another way and must give the same."""

import pytest
import torch

from orchestrion.nn import segment_vae
from orchestrion.nn.segment_vae import SEVERAL, EventDecoder, SequenceEncoder


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("more", [0, 2])
@pytest.mark.parametrize("items", [1, SEVERAL, SEVERAL + 2])
def test_encoding_is_that_of_torch(items, more, packed, monkeypatch):
    monkeypatch.setattr(segment_vae, "packs", lambda: packed)
    torch.manual_seed(0)
    encoder = SequenceEncoder(inputs=7 + more, hidden=12, latent=5)
    symbols, beside = torch.randint(7, (items, 9)), torch.randn(items, more) if more else None
    slow = encoder(symbols, beside)
    with torch.inference_mode():
        fast = encoder(symbols, beside)
    torch.testing.assert_close(fast.mean, slow.mean, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(fast.scale, slow.scale, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        for weight in encoder.gru.parameters():
            weight.mul_(2)  # what is kept of the weights must not outlive them
        moved = encoder(symbols, beside)
    assert (moved.mean - slow.mean).abs().max() > 1e-2
    torch.testing.assert_close(moved.mean, encoder(symbols, beside).mean, rtol=1e-5, atol=1e-6)


def test_many_are_written_as_each_alone():
    torch.manual_seed(1)
    decoder, z = EventDecoder(classes=11, latent=6, hidden=16), 3 * torch.randn(SEVERAL + 2, 6)
    with torch.inference_mode():
        together = decoder.roll_out(z, steps=12, keep_log_probs=True)
        for number in range(len(z)):
            alone = decoder.roll_out(z[number : number + 1], steps=12, keep_log_probs=True)
            assert torch.equal(alone.ids[0], together.ids[number])
            torch.testing.assert_close(alone.log_probs[0], together.log_probs[number], rtol=1e-5, atol=1e-5)
        logits = decoder(together.ids, z).log_softmax(-1)
    torch.testing.assert_close(logits, together.log_probs, rtol=1e-5, atol=1e-5)
