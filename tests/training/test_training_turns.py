"""Objectives that alternate: who runs when, what stands still, and what two of them share."""

import copy
import json

import pytest
import torch
from torch import nn

from orchestrion.errors import OptionError
from orchestrion.training.schedules import decay, ramp, warmup_constant
from orchestrion.training.stage import Loss, Objective, Share, Stage
from orchestrion.training.stage_run import detached
from orchestrion.training.trainer import Trainer


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-2, betas=(0.5, 0.9), weight_decay=0.1)


def noises(step, share):
    return share.of(torch.randn(8, 4, generator=torch.Generator().manual_seed(step)))


class Pair(nn.Module):
    """An encoder that can be frozen and a decoder."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.BatchNorm1d(6, affine=False)
        )
        self.decoder = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 4))


@pytest.fixture
def pair():
    torch.manual_seed(0)
    return Pair(), nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))


def run(model, stages, folder, **options):
    Trainer(model, stages, folder=folder, tensorboard=False, **options).run()
    return [json.loads(line) for line in (folder / "log.jsonl").open()]


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def equal(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_what_is_frozen_stays_as_it_was_to_the_last_bit(pair, tmp_path):
    """After a stage that trained it with momentum, an encoder sees 50 steps of Adam with weight decay on the rest."""
    model, judge = pair
    gradients = []

    def far(x):
        return Loss((model.decoder(model.encoder(x)) - x).pow(2).mean())

    def judged(x):
        return Loss(judge(x).relu().mean() - judge(model.decoder(model.encoder(x))).mean())

    def deceived(x):
        gradients.append([p.grad for p in (*model.encoder.parameters(), *judge.parameters())])
        return Loss(judge(model.decoder(model.encoder(x))).mean())

    first = Stage("first", 5, noises, [Objective("far", far, model.parameters(), adam)], ema=0.9)
    kept = {}
    second = Stage(
        "second",
        50,
        noises,
        [
            Objective("judge", judged, judge.parameters(), adam, every=2, offset=1),
            Objective("deceive", deceived, model.decoder.parameters(), adam, every=2),
        ],
        helpers={"judge": judge},
        start=lambda: kept.update(state(model)),
        ema=0.9,
    )
    run(model, [first, second], tmp_path)
    encoder = {name: value for name, value in kept.items() if name.startswith("encoder")}
    assert len(encoder) == 2 + 5 + 3 and equal(encoder, model.state_dict())
    assert encoder["encoder.3.num_batches_tracked"] == 5
    assert not any(torch.equal(kept[name], value) for name, value in model.decoder.named_parameters(prefix="decoder"))
    assert all(gradient is None for gradient in gradients[0]) and all(g is None for g in gradients[-1][:4])


def test_a_discriminator_stands_still_in_the_turn_of_the_generator(pair, tmp_path):
    model, judge = pair
    seen = []

    def far(x):
        seen.append((state(judge), state(model.decoder)))
        return Loss((model.decoder(model.encoder(x)) - x).pow(2).mean())

    objectives = [
        Objective("judge", lambda x: Loss(judge(x).mean()), judge.parameters(), adam, every=3, after=5),
        Objective("far", far, model.parameters(), adam, every=3, offset=(1, 2)),
    ]
    lines = run(model, [Stage("both", 12, noises, objectives, helpers={"judge": judge})], tmp_path)
    turns = [(line["step"], line["objective"]) for line in lines]
    assert turns == [(1, "far"), (2, "far"), (4, "far"), (5, "far"), (6, "judge"), (7, "far"), (8, "far"),
                     (9, "judge"), (10, "far"), (11, "far")]  # fmt: skip
    judges = [one for one, _ in seen]
    assert all(equal(judges[0], one) for one in judges[:4]) and equal(judges[4], judges[5])
    assert not equal(judges[3], judges[4]) and not equal(judges[5], judges[6])


@pytest.mark.parametrize("judge_first", [True, False])
def test_a_shared_output_gives_the_steps_of_the_loop_written_out(pair, judge_first, tmp_path):
    model, judge = pair
    model.encoder[2].p = 0.0  # dropout: the loop below draws nothing
    twin, twin_judge = copy.deepcopy(model), copy.deepcopy(judge)
    twin.train(), twin_judge.train()
    adams = {"model": adam(twin.parameters()), "judge": adam(twin_judge.parameters())}
    expected, made, attached = [], [], []
    for step in range(6):
        x = noises(step, Share())
        y = twin.decoder(twin.encoder(x))
        for who in ("judge", "model") if judge_first else ("model", "judge"):
            wanted = twin if who == "model" else twin_judge
            score = twin_judge(y).mean() + (y - x).pow(2).mean()
            loss = score if who == "model" else twin_judge(x).mean() - twin_judge(y.detach()).mean()
            gradients = torch.autograd.grad(loss, list(wanted.parameters()), retain_graph=True)
            for parameter, gradient in zip(wanted.parameters(), gradients, strict=True):
                parameter.grad = gradient
            expected.append(loss.item())
            adams[who].step()
        if step == 0:
            assert expected[0] != expected[1]

    def copied(x):
        made.append(torch.is_grad_enabled())
        return {"sound": model.decoder(model.encoder(x))}

    def judged(x, shared):
        attached.append(shared["sound"].requires_grad)
        return Loss(judge(x).mean() - judge(shared["sound"]).mean())

    def deceived(x, shared):
        attached.append(shared["sound"].requires_grad)
        return Loss(judge(shared["sound"]).mean() + (shared["sound"] - x).pow(2).mean())

    objectives = [
        Objective("judge", judged, judge.parameters(), adam, clip=None),
        Objective("deceive", deceived, model.parameters(), adam, clip=None, through=True),
    ]
    stage = Stage("both", 6, noises, objectives if judge_first else objectives[::-1], helpers={"judge": judge})
    stage.shared = copied
    lines = run(model, [stage], tmp_path)
    assert [line["loss"] for line in lines] == pytest.approx(expected, abs=1e-5)
    assert made == [True] * 6 and attached == ([False, True] if judge_first else [True, False]) * 6
    for ours, theirs in ((model, twin), (judge, twin_judge)):
        for name, value in ours.state_dict().items():
            torch.testing.assert_close(value, theirs.state_dict()[name], rtol=0, atol=1e-5)


def test_what_is_shared_has_no_graph_where_nobody_goes_through(pair, tmp_path):
    model, judge = pair
    made = []

    def copied(x):
        made.append(model.decoder(model.encoder(x)))
        return made[-1]

    objectives = [
        Objective("judge", lambda x, y: Loss(judge(y).mean()), judge.parameters(), adam),
        Objective("far", lambda x, y: Loss(y.mean()), model.parameters(), adam, every=2, offset=1, through=True),
    ]
    stage = Stage("both", 4, noises, objectives, helpers={"judge": judge}, shared=copied)
    run(model, [stage], tmp_path, accumulate=2)
    assert [y.requires_grad for y in made] == [False, False, True, True] * 2


def test_detached_looks_into_what_holds_tensors():
    x = torch.ones(2, requires_grad=True) * 2
    held = detached({"a": [x, (x, 3)], "b": Loss(x), "c": "text"})
    assert not held["a"][0].requires_grad and not held["a"][1][0].requires_grad and not held["b"].value.requires_grad
    assert held["a"][1][1] == 3 and held["c"] == "text" and held["a"][0].data_ptr() == x.data_ptr()


def test_start_and_end_of_a_stage(tmp_path):
    """Buffers that are set at the start and at the end, on the averaged weights, are in the checkpoint."""
    torch.manual_seed(0)
    model = nn.Linear(4, 4)
    model.register_buffer("scale", torch.ones(()))
    model.register_buffer("mean", torch.zeros(4))
    calls = []

    def start():
        calls.append(("start", model.training, torch.is_grad_enabled(), float(torch.rand(()))))
        model.scale.copy_(1 / noises(0, Share()).std())

    def end():
        calls.append(("end", model.training, torch.is_grad_enabled(), model.weight.clone()))
        model.mean.copy_(model(noises(0, Share())).mean(0))

    def stages(die=False):
        def loss(x):
            if die and len(calls) and calls.append("step") is None and len(calls) > 4:
                raise KeyboardInterrupt
            return Loss((model(x) * model.scale).pow(2).mean())

        fit = Objective("fit", loss, model.parameters(), adam)
        return [Stage("one", 6, noises, [fit], ema=0.5, start=start, end=end)]

    with pytest.raises(KeyboardInterrupt):
        run(model, stages(die=True), tmp_path, checkpoint_seconds=0)
    scale = model.scale.clone()
    model.scale.zero_()
    calls.clear()
    run(model, stages(), tmp_path)
    assert [call[0] for call in calls] == ["end"] and not calls[0][1] and not calls[0][2]
    assert torch.equal(model.scale, scale) and scale != 1
    assert torch.equal(calls[0][3], model.weight) and not torch.equal(model.mean, torch.zeros(4))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"offset": 2}, r"'fit' of stage 'one' runs at \(2,\) of every 2 steps"),
        ({"offset": ()}, r"runs at \(\) of every 2"),
        ({"every": 0}, "of every 0 steps"),
        ({"after": 3}, "begins after 3 steps, but stage 'one' has only 3"),
        ({"through": True}, "'one' shares nothing that an objective could go through"),
    ],
)
def test_turns_that_never_come(change, said, tmp_path):
    model = nn.Linear(4, 4)
    options = {"every": 2, **change}
    fit = Objective("fit", lambda x: Loss(model(x).mean()), model.parameters(), adam, **options)
    with pytest.raises(OptionError, match=said):
        Trainer(model, [Stage("one", 3, noises, [fit])], folder=tmp_path)


def test_only_one_goes_through(tmp_path):
    model = nn.Linear(4, 4)
    both = [Objective(n, lambda x, y: Loss(y.mean()), model.parameters(), adam, through=True) for n in ("one", "two")]
    with pytest.raises(OptionError, match="Only one objective of stage 'a'"):
        Trainer(model, [Stage("a", 3, noises, both, shared=model)], folder=tmp_path)


def test_schedules():
    rise = warmup_constant(4)
    assert [rise(step) for step in (0, 1, 3, 100)] == [0.25, 0.5, 1.0, 1.0]
    line = ramp(1.0, 0.1, 10, first=5)
    assert [line(step) for step in (0, 5, 10, 15, 99)] == pytest.approx([1.0, 1.0, 0.55, 0.1, 0.1])
    beta = ramp(1e-6, 0.05, 20_000, logarithmic=True)
    assert [beta(step) for step in (0, 10_000, 30_000)] == pytest.approx([1e-6, (1e-6 * 0.05) ** 0.5, 0.05])
    assert [decay(0.5, 3)(step) for step in (0, 2, 3, 6)] == [1, 1, 0.5, 0.25]
    for bad in ((1.0, 0.0, 5), (-1.0, 1.0, 5)):
        with pytest.raises(ValueError, match="above 0"):
            ramp(*bad, logarithmic=True)
    with pytest.raises(ValueError, match="at least 1 step"):
        ramp(1, 2, 0)
