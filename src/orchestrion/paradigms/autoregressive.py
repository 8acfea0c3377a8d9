"""Learning and sampling one token after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional


def next_token_loss(
    logits: Float[Tensor, "batch time classes"], targets: Int[Tensor, "batch time"], *, ignore: int | None = None
) -> Float[Tensor, ""]:
    """Mean cross-entropy in nats of `targets`, leaving out positions whose target is `ignore`."""
    return functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=-100 if ignore is None else ignore
    )


def choose(
    logits: Float[Tensor, "batch classes"],
    uniform: Float[Tensor, " batch"],
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    allowed: Bool[Tensor, "batch classes"] | None = None,
) -> Int[Tensor, " batch"]:
    """Draws a class a row by inverting the cumulative distribution at `uniform`: the same draws give the same choice.

    Args:
        temperature: divides the logits; 0 takes the likeliest class.
        top_k: only the k likeliest classes (Fan et al. 2018).
        top_p: only the likeliest classes that together hold this probability (Holtzman et al. 2020, nucleus sampling).
        allowed: classes that may be drawn at all.

    Raises:
        ValueError: temperature is negative or top_p is not in (0, 1].
    """
    if temperature < 0 or not 0 < top_p <= 1:
        raise ValueError("temperature must not be negative and top_p must lie in (0, 1]")
    if allowed is not None:
        logits = logits.masked_fill(~allowed, -torch.inf)
    if temperature == 0:
        return logits.argmax(-1)
    if top_k is not None and top_k < logits.shape[-1]:
        logits = logits.masked_fill(logits < logits.topk(top_k).values[:, -1:], -torch.inf)
    probabilities = torch.softmax(logits / temperature, dim=-1)
    if top_p < 1:
        ordered, order = probabilities.sort(dim=-1, descending=True)
        outside = ordered.cumsum(-1) - ordered >= top_p
        probabilities = probabilities.scatter(-1, order, ordered.masked_fill(outside, 0.0))
    cumulative = probabilities.double().cumsum(-1)
    # A draw of exactly 1 would point beyond the last class that can be drawn.
    target = uniform.double().clamp(max=1 - 2**-24)[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, target, right=True).squeeze(-1)


def released_nucleus(logits: Float[Tensor, "batch classes"], p: float) -> Float[Tensor, "batch classes"]:
    """Logits with the nucleus as Theme Transformer's code has it: cut behind the *last* class at which the cumulative
    probability exceeds p, so that only the least likely one is dropped; where none does, the three likeliest stay."""
    ordered, order = torch.softmax(logits, -1).sort(dim=-1, descending=True)
    beyond = ordered.cumsum(-1) > p
    places = torch.arange(logits.shape[-1], device=logits.device)
    last = torch.where(beyond, places, -1).amax(-1, keepdim=True)
    dropped = places >= torch.where(last < 0, 3, last)
    return logits.masked_fill(torch.zeros_like(dropped).scatter(-1, order, dropped), -torch.inf)


@runtime_checkable
class Grammar(Protocol):
    """Says which token may come next and takes the one that came."""

    done: bool

    def allowed(self) -> np.ndarray: ...

    def advance(self, token: int) -> None: ...


Step = Callable[[Tensor], Tensor]
"""Takes the newest tokens [batch, new] and gives the logits [batch, classes] after the last of them."""


@torch.inference_mode()
def sample(
    step: Step,
    *,
    start: Int[Tensor, "batch prefix"],
    generators: Sequence[torch.Generator],
    max_steps: int,
    end: int | None = None,
    grammars: Sequence[Grammar] | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    drop: Callable[[Tensor], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[list[int]]:
    """Tokens after `start`, row by row, until `end`, the grammar's end or `max_steps`.

    Every row draws from its own generator, so a row does not depend on its neighbours. Rows that have ended leave the
    batch when `drop` is given: it is called with the indices of the rows that go on.

    Returns:
        One list of tokens a row, without `start` and `end`.
    """
    rows = list(range(start.shape[0]))
    written: list[list[int]] = [[] for _ in rows]
    ended = [False] * len(rows)
    newest = start
    for count in range(max_steps):
        logits = step(newest)
        allowed = None
        if grammars is not None:
            allowed = torch.from_numpy(np.stack([grammars[row].allowed() for row in rows])).to(logits.device)
        uniform = torch.cat([torch.rand(1, generator=generators[row]) for row in rows]).to(logits.device)
        tokens = choose(logits, uniform, temperature=temperature, top_k=top_k, top_p=top_p, allowed=allowed)
        going = []
        for index, (row, token) in enumerate(zip(rows, tokens.tolist(), strict=True)):
            if ended[row]:
                continue
            if grammars is not None:
                grammars[row].advance(token)
            ended[row] = token == end or (grammars is not None and grammars[row].done)
            if token != end:
                written[row].append(token)
            if not ended[row]:
                going.append(index)
        if progress is not None:
            progress(count + 1)
        if not going:
            break
        newest = tokens[:, None]
        if len(going) < len(rows) and drop is not None:
            kept = torch.tensor(going)
            drop(kept)
            rows, newest = [rows[index] for index in going], newest[kept]
    return written
