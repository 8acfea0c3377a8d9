"""Sampling of Theme Transformer at the published size against the authors' code, random weights, one thread.

    python benchmarks/theme_transformer.py CLONE [TOKENS …]

CLONE is a checkout of github.com/atosystem/ThemeTransformer. Both write the same number of tokens after the same start
for the same theme; the official loop computes the whole sequence and the theme anew for each token, as its inference.py
does. Its prints are left out. Grammar is off on both sides.
"""

from __future__ import annotations

import contextlib
import io
import sys
import time

import numpy as np
import torch

from orchestrion.hub.official import theme_transformer as official
from orchestrion.systems.theme_transformer import VOCABULARY, ThemeTransformer


def main(clone: str, lengths: list[int]) -> None:
    torch.set_num_threads(1)
    sys.path.insert(0, clone)
    with contextlib.redirect_stdout(io.StringIO()):
        import mymodel  # type: ignore[import-not-found]

        theirs = mymodel.myLM(1033, d_model=256, num_encoder_layers=6, xorpattern=[0, 0, 0, 1, 1, 1]).eval()
    ours = ThemeTransformer(**official.arguments(official.SOURCE["arguments"])).eval()
    ours.load_state_dict(official.convert(theirs.state_dict()))
    rng = np.random.default_rng(0)
    theme = [VOCABULARY.start, *rng.integers(1, 1028, 120).tolist(), VOCABULARY.end]
    for length in lengths:
        tokens = rng.integers(1, 1028, length)
        labels = np.where(np.arange(length) % 200 < 120, np.arange(length) % 200 + 1, 0)
        with torch.inference_mode():
            slow, last = their_time(theirs, theme, tokens, labels)
            fast, found = our_time(ours, theme, tokens, labels)
        torch.testing.assert_close(found, last, rtol=1e-3, atol=1e-4)
        print(f"{length} tokens: theirs {1000 * slow:.2f} ms, ours {1000 * fast:.2f} ms a token, {slow / fast:.1f} x")


def their_time(model, theme, tokens, labels) -> tuple[float, torch.Tensor]:
    """Processor seconds a token, and the last logits."""
    source = torch.tensor(theme)[:, None]
    began = time.process_time()
    for count in range(1, len(tokens) + 1):
        x, label = (torch.from_numpy(array[:count])[:, None] for array in (tokens, labels))
        mask = model.transformer_model.generate_square_subsequent_mask(count)
        logits = model(src=source, tgt=x, tgt_label=label, tgt_mask=mask)[-1:]
    return (time.process_time() - began) / len(tokens), logits[0]


def our_time(model, theme, tokens, labels) -> tuple[float, torch.Tensor]:
    """The same of our network with caches, the theme read once."""
    began = time.process_time()
    memory = model.network.read(torch.tensor([theme]))
    caches = model.network.decoder.start(memory, capacity=len(tokens))
    for count in range(len(tokens)):
        x, label = (torch.from_numpy(array[None, count : count + 1]) for array in (tokens, labels))
        logits = model.network.step(x, label, caches)
    return (time.process_time() - began) / len(tokens), logits


if __name__ == "__main__":
    main(sys.argv[1], [int(length) for length in sys.argv[2:]] or [128, 256, 512])
