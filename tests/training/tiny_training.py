"""Small trainings for the tests, also as a command: `tiny_training.py KIND FOLDER`, or `tiny_training.py serve`."""

from __future__ import annotations

import json
import os
import sys
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
        "next",
        lambda x: next_token_loss(model, x),
        model.parameters(),
        lambda p: torch.optim.AdamW(p, lr=1e-2),
        schedule,
    )
    return [Stage("only", steps, data, [objective])]


def rich(model: Tiny, steps: int = STEPS, data=rows) -> list[Stage]:
    """The plain stage, then one with two alternating objectives, a helper, half precision, an average, validation."""
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
            Objective(
                "judge", judge_loss, judge.parameters(), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9), every=2
            ),
            Objective("both", both, model.parameters(), lambda p: torch.optim.AdamW(p, lr=1e-3)),
        ],
        validate=lambda: {
            "loss": float(next_token_loss(model, rows(-1, Share())).value),
            "drawn": float(torch.rand(())),
        },
        validate_every=15,
        ema=0.9,
        ema_every=2,
        precision="bfloat16",
        helpers={"judge": judge},
    )
    return [*plain(model, steps // 2, data), second]


def train(
    kind: str, folder: str, *, die_at: int | None = None, die_after: float | None = None, number: int = 9
) -> dict:
    """Trains; sends itself the signal `number` in the call `die_at` of the data, or some seconds after the start."""
    torch.manual_seed(3)
    model = Tiny(dropout=0.0 if kind == "even" else 0.1)
    calls = 0

    def data(step: int, share: Share) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == die_at:
            os.kill(os.getpid(), number)
        return rows(step, share)

    if die_after is not None:
        threading.Timer(die_after, os.kill, (os.getpid(), number)).start()
    return Trainer(
        model,
        rich(model, data=data) if kind == "rich" else plain(model, data=data),
        folder=folder,
        accumulate=3 if kind == "rich" else 1,
        checkpoint_seconds=0.03,
        tensorboard=False,
    ).run()


def serve() -> None:
    """For each line on stdin, a training in a process of its own, torch imported already; prints its exit code."""
    for line in sys.stdin:
        options = json.loads(line)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                print(json.dumps(train(**options)), file=sys.stderr)
                code = 0
            except SystemExit as stop:
                code = stop.code
            except KeyboardInterrupt:
                code = 130
            finally:
                os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.1)  # imports what every optimiser does
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        train(sys.argv[1], sys.argv[2])
