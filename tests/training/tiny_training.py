"""Small trainings for the tests, also as a command: `tiny_training.py KIND FOLDER`, or `tiny_training.py serve`."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
import threading

import torch
from torch import nn
from torch.nn import functional

from orchestrion.training.processes import gather_with_gradient
from orchestrion.training.sharding import shard
from orchestrion.training.stage import Loss, Objective, Share, Stage, warmup_cosine
from orchestrion.training.trainer import Trainer

STEPS = 24


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


class Copier(nn.Module):
    """Makes short sounds from what an encoder keeps of them."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv1d(1, 4, 4, 4), nn.BatchNorm1d(4), nn.Dropout(0.2))
        self.decoder = nn.Sequential(nn.Conv1d(4, 8, 3, padding=1), nn.BatchNorm1d(8), nn.ConvTranspose1d(8, 1, 4, 4))


def sounds(step: int, share: Share) -> torch.Tensor:
    """Four noises, each with a gain and a sign of its own from the global generators."""
    noise = torch.randn(4, 1, 32, generator=torch.Generator().manual_seed(step))
    return share.of(noise) * torch.rand(()) * random.choice([-1, 1])


def adversarial(model: Copier, steps: int = STEPS, data=sounds) -> list[Stage]:
    """A stage for all, then one with a frozen encoder and a judge; the sound that both look at is made once."""
    torch.manual_seed(5)
    judge = nn.Sequential(nn.Conv1d(1, 8, 5), nn.BatchNorm1d(8), nn.LeakyReLU(0.2), nn.Conv1d(8, 1, 5))

    def copied(x: torch.Tensor) -> torch.Tensor:
        return model.decoder(model.encoder(x) + torch.randn(()))

    def far(x: torch.Tensor) -> Loss:
        return Loss((copied(x) - x).float().pow(2).mean(), len(x))

    def judged(x: torch.Tensor, y: torch.Tensor) -> Loss:
        return Loss((1 - judge(x)).relu().mean() + (1 + judge(y)).relu().mean(), len(x))

    def deceived(x: torch.Tensor, y: torch.Tensor) -> Loss:
        return Loss((y - x).float().pow(2).mean() - 0.1 * judge(y).float().mean(), len(x))

    def adam(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=1e-3, betas=(0.5, 0.9), weight_decay=0.01)

    return [
        Stage("alone", steps // 2, data, [Objective("far", far, model.parameters(), adam)], ema=0.9),
        Stage(
            "judged",
            steps,
            data,
            [
                Objective("judge", judged, judge.parameters(), adam, every=2, offset=1, after=4),
                Objective("deceive", deceived, model.decoder.parameters(), adam, through=True),
            ],
            ema=0.9,
            precision="bfloat16",
            helpers={"judge": judge},
            shared=copied,
        ),
    ]


class Views(nn.Module):
    """Embeds rows of numbers, with batch statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


def likeness(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """NT-Xent of two views of the same things."""
    z = functional.normalize(torch.cat([first, second]), dim=1)
    scores = (z @ z.T / 0.5).fill_diagonal_(-torch.inf)
    return functional.cross_entropy(scores, torch.arange(len(z)).roll(len(first)))


def contrast(model: Views, steps: int = STEPS) -> list[Stage]:
    """Eleven pairs of views, which two processes cannot halve."""

    def data(step: int, share: Share) -> torch.Tensor:
        generator = torch.Generator().manual_seed(step)
        views = torch.randn(11, 1, 6, generator=generator) + 0.5 * torch.randn(11, 2, 6, generator=generator)
        return share.of(views)

    def loss(x: torch.Tensor) -> Loss:
        first, second = gather_with_gradient(model(x[:, 0])), gather_with_gradient(model(x[:, 1]))
        return Loss(likeness(first, second), len(x))

    return [
        Stage(
            "only", steps, data, [Objective("alike", loss, model.parameters(), lambda p: torch.optim.Adam(p, lr=1e-2))]
        )
    ]


class Layers(nn.Module):
    """A network inside a module whose own forward is never called, like a system."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.Linear(16, 16), nn.GELU(), nn.Linear(16, 3))


def layered(model: Layers, steps: int = STEPS, data=None) -> list[Stage]:
    """Rows to sums of their numbers, with an average and a bound on the gradient."""

    def rows(step: int, share: Share) -> torch.Tensor:
        return share.of(torch.randn(8, 6, generator=torch.Generator().manual_seed(step)))

    def loss(x: torch.Tensor) -> Loss:
        return Loss((model.network(x) - x.view(-1, 3, 2).sum(2)).pow(2).mean(), len(x))

    fit = Objective("fit", loss, model.parameters(), lambda p: torch.optim.AdamW(p, lr=1e-2), clip=0.5)
    return [
        Stage("only", steps, data or rows, [fit], ema=0.9, validate=lambda: {"loss": loss(rows(-1, Share())).value})
    ]


def made(kind: str) -> tuple[nn.Module, list[Stage]]:
    """The model and the stages of a kind; the call that ends a training early is put around its data by `train`."""
    torch.manual_seed(3)
    if kind == "adversarial":
        model = Copier()
        return model, adversarial(model)
    if kind == "contrast":
        model = Views()
        return model, contrast(model)
    if kind in ("layered", "sharded"):
        model = Layers()
        if kind == "sharded":
            shard(model.network, [model.network[0], model.network[2]])
        return model, layered(model)
    model = Tiny(dropout=0.0 if kind == "even" else 0.1)
    return model, rich(model) if kind == "rich" else plain(model)


def train(
    kind: str,
    folder: str,
    *,
    die_at: int | None = None,
    die_after: float | None = None,
    number: int = 9,
    accumulate: int | None = None,
    most_bytes: int | None = None,
) -> dict:
    """Trains; sends itself the signal `number` in the call `die_at` of the data, or some seconds after the start.

    No file may grow beyond `most_bytes`, as on a full disk.
    """
    if most_bytes is not None:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    model, stages = made(kind)
    calls = 0

    def counting(data):
        def call(step: int, share: Share):
            nonlocal calls
            calls += 1
            if calls == die_at:
                os.kill(os.getpid(), number)
            return data(step, share)

        return call

    for stage in stages:
        stage.data = counting(stage.data)
    if die_after is not None:
        threading.Timer(die_after, os.kill, (os.getpid(), number)).start()
    return Trainer(
        model,
        stages,
        folder=folder,
        accumulate=accumulate or {"rich": 3, "adversarial": 2}.get(kind, 1),
        checkpoint_seconds=0.03,
        tensorboard=False,
    ).run()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def child(options: dict, environment: dict[str, str]) -> int:
    """Starts a training in a process of its own; gives its number."""
    number = os.fork()
    if number:
        return number
    os.environ.update(environment)
    code = 1
    try:
        print(json.dumps(train(**options)), file=sys.stderr)
        code = 0
    except SystemExit as stop:
        code = stop.code
    except KeyboardInterrupt:
        code = 130
    except BaseException as error:
        print(repr(error), file=sys.stderr)
        code = getattr(error, "exit_code", 1)
    finally:
        os._exit(code)


def serve() -> None:
    """For each line on stdin, a training in processes of its own, torch imported already; prints an exit code."""
    for line in sys.stdin:
        options = json.loads(line)
        count = options.pop("processes", 1)
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "ACCELERATE_USE_CPU": "true"}
        places = [{"WORLD_SIZE": str(count), "RANK": str(n), "LOCAL_RANK": str(n)} for n in range(count)]
        children = [child(options, shared | place if count > 1 else {}) for place in places]
        codes = [os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) for number in children]
        print(next((code for code in codes if code), 0), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.1)  # imports what every optimiser does
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        train(sys.argv[1], sys.argv[2])
