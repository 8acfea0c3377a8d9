"""Small trainings for the tests, also as a command: `tiny_training.py KIND FOLDER [--die-at STEP] [--die-after SECONDS]`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading

import torch
from torch import nn
from torch.nn import functional

from orchestrion.training.stage import Loss, Objective, Share, Stage, warmup_cosine
from orchestrion.training.trainer import Trainer

STEPS = 40


class Tiny(nn.Module):
    """Predicts the next token of short rows, with dropout, batch statistics and a buffer that training moves."""

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        self.embed = nn.Embedding(12, 16)
        self.body = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Dropout(dropout), nn.Linear(32, 16))
        self.head = nn.Linear(16, 12, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self.embed(tokens)))


def rows(step: int, share: Share) -> torch.Tensor:
    """Eight rows of unequal length; the end is filled with −1."""
    generator = torch.Generator().manual_seed(1000 + step)
    tokens = torch.randint(12, (8, 10), generator=generator)
    lengths = torch.randint(2, 11, (8,), generator=generator)
    tokens[torch.arange(10)[None] >= lengths[:, None]] = -1
    return share.of(tokens)


def next_token_loss(model: Tiny, tokens: torch.Tensor) -> Loss:
    """Mean over the tokens that there are, with their number."""
    logits, target = model(tokens[:, :-1].clamp(min=0)), tokens[:, 1:]
    value = functional.cross_entropy(logits.flatten(0, 1).float(), target.flatten(), ignore_index=-1)
    if model.training:
        model.seen += 1
    count = int((target >= 0).sum())
    return Loss(value, count, {"tokens": count / len(tokens)})


def plain(model: Tiny, steps: int = STEPS, data=rows) -> list[Stage]:
    """One stage, one objective, single precision."""
    schedule = warmup_cosine(5, steps)
    objective = Objective(
        "next", lambda x: next_token_loss(model, x), model.parameters(), lambda p: torch.optim.AdamW(p, lr=1e-2), schedule
    )
    return [Stage("only", steps, data, [objective])]


def rich(model: Tiny, steps: int = STEPS, data=rows) -> list[Stage]:
    """A stage like the plain one, then one with two alternating objectives, a helper, half precision, an average, validation."""
    torch.manual_seed(5)
    judge = nn.Sequential(nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))

    def judged(tokens: torch.Tensor) -> torch.Tensor:
        hidden = model.body(model.embed(tokens.clamp(min=0)))
        return judge(hidden.flatten(0, 1))

    def judge_loss(tokens: torch.Tensor) -> Loss:
        return Loss(functional.softplus(judged(tokens) + torch.randn(())).mean(), len(tokens))

    def both(tokens: torch.Tensor) -> Loss:
        loss = next_token_loss(model, tokens)
        return Loss(loss.value - 0.1 * judged(tokens).float().mean(), loss.weight)

    second = Stage(
        "second",
        steps,
        data,
        [
            Objective("judge", judge_loss, judge.parameters(), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9), every=2),
            Objective("both", both, model.parameters(), lambda p: torch.optim.AdamW(p, lr=1e-3)),
        ],
        validate=lambda: {"loss": float(next_token_loss(model, rows(-1, Share())).value), "drawn": float(torch.rand(()))},
        validate_every=15,
        ema=0.9,
        ema_every=2,
        precision="bfloat16",
        helpers={"judge": judge},
    )
    return [*plain(model, steps // 2, data), second]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["plain", "rich", "even"])
    parser.add_argument("folder")
    parser.add_argument("--die-at", type=int)
    parser.add_argument("--die-after", type=float)
    parser.add_argument("--signal", type=int, default=signal.SIGKILL)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(3)
    model = Tiny(dropout=0.0 if options.kind == "even" else 0.1)
    calls = 0

    def data(step: int, share: Share) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == options.die_at:
            os.kill(os.getpid(), options.signal)
        return rows(step, share)

    if options.die_after is not None:
        threading.Timer(options.die_after, os.kill, (os.getpid(), options.signal)).start()
    stages = rich(model, data=data) if options.kind == "rich" else plain(model, data=data)
    trainer = Trainer(
        model,
        stages,
        folder=options.folder,
        accumulate=3 if options.kind == "rich" else 1,
        checkpoint_seconds=0.03,
        tensorboard=False,
    )
    print(json.dumps(trainer.run()))


if __name__ == "__main__":
    main()
