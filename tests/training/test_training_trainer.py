"""What a stage asks for is what the trainer does."""

import copy
import json

import pytest
import torch
from tiny_training import Tiny, next_token_loss, plain, rich, rows
from torch import nn

from orchestrion.errors import OptionError, OrchestrionError, WeightsError
from orchestrion.training.stage import Loss, Objective, Share, Stage
from orchestrion.training.trainer import Trainer


def objective(model, loss=None, **options):
    loss = loss or (lambda x: Loss((model(x) ** 2).mean(), len(x)))
    return Objective("fit", loss, model.parameters(), lambda p: torch.optim.SGD(p, lr=0.1), **options)


def numbers(step, share):
    return share.of(torch.randn(8, 3, generator=torch.Generator().manual_seed(step)))


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return nn.Linear(3, 2)


@pytest.fixture
def run(tmp_path):
    def run(model, stages, **options):
        return Trainer(model, stages, folder=tmp_path, **{"tensorboard": False, **options}).run()

    return run


def log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").open()]


def test_equals_the_loop_written_out(linear, run):
    by_hand = copy.deepcopy(linear)
    average = [parameter.detach().clone() for parameter in by_hand.parameters()]
    for step in range(6):
        loss = (by_hand(numbers(step, Share())) ** 2).mean()
        gradients = torch.autograd.grad(loss, list(by_hand.parameters()))
        norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
        with torch.no_grad():
            for parameter, gradient in zip(by_hand.parameters(), gradients, strict=True):
                parameter -= 0.1 / (step + 1) * gradient * (0.5 / (norm + 1e-6)).clamp(max=1)
        if step % 2:
            updates = (step + 1) // 2
            decay = min(0.3, (1 + updates) / (10 + updates))
            average = [decay * a + (1 - decay) * p.detach() for a, p in zip(average, by_hand.parameters(), strict=True)]
    fit = objective(linear, schedule=lambda step: 1 / (step + 1), clip=0.5)
    figures = run(linear, [Stage("one", 6, numbers, [fit], ema=0.3, ema_every=2)])
    for ours, expected in zip(linear.parameters(), average, strict=True):
        torch.testing.assert_close(ours.data, expected)
    assert figures["one"]["fit"] == pytest.approx(loss.item())
    assert not linear.training


def test_objectives_take_turns_and_leave_the_others_alone(run, tmp_path):
    one, two = nn.Linear(3, 3), nn.Linear(3, 1)
    seen = []

    def loss(name):
        def run(x):
            seen.append((name, one.weight.requires_grad, two.weight.requires_grad))
            return Loss(two(one(x)).mean())

        return run

    objectives = [
        Objective("first", loss("first"), one.parameters(), lambda p: torch.optim.SGD(p, 0.1), every=2),
        Objective("second", loss("second"), two.parameters(), lambda p: torch.optim.SGD(p, 0.1)),
    ]
    run(one, [Stage("both", 3, numbers, objectives, helpers={"two": two})])
    first, second = ("first", True, False), ("second", False, True)
    assert seen == [first, second, second, first, second]
    assert one.weight.requires_grad and two.weight.requires_grad and one.weight.grad is None
    assert [(line["step"], line["objective"]) for line in log(tmp_path)] == [
        (0, "first"), (0, "second"), (1, "second"), (2, "first"), (2, "second"),
    ]  # fmt: skip


def test_what_no_objective_trains_is_in_evaluation_mode(run):
    model = nn.ModuleDict({
        "frozen": nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)),
        "trained": nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)),
    })  # fmt: skip
    modes = []

    def loss(x):
        modes.append([part.training for part in (model["frozen"][1], model["frozen"][2], model["trained"][1])])
        return Loss(model["trained"](model["frozen"](x)).mean())

    fit = Objective("fit", loss, model["trained"].parameters(), lambda p: torch.optim.SGD(p, 0.1))
    before = copy.deepcopy(model["frozen"].state_dict())
    run(model, [Stage("one", 2, numbers, [fit], validate=lambda: {"x": 1.0}, validate_every=1)])
    assert modes == [[False, False, True]] * 2
    assert all(torch.equal(value, before[name]) for name, value in model["frozen"].state_dict().items())
    assert int(model["trained"][1].num_batches_tracked) == 2


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_precision(run, linear, precision, dtype):
    seen = set()

    def loss(x):
        seen.add(linear(x).dtype)
        return Loss(linear(x).float().mean())

    validated = []
    validate = lambda: {"x": validated.append(linear(torch.ones(1, 3)).dtype) or 0.0}  # noqa: E731
    run(linear, [Stage("one", 1, numbers, [objective(linear, loss)], validate=validate, precision=precision)])
    assert seen == {dtype}
    assert linear.weight.dtype == torch.float32 and validated == [torch.float32]


def test_validation_is_on_the_average_and_changes_nothing(run, tmp_path):
    def train(validate, folder):
        torch.manual_seed(3)
        model = Tiny()
        stage = plain(model, 12)[0]
        stage.ema, stage.validate_every = 0.5, 5
        stage.validate = (lambda: validate(model)) if validate else None
        figures = Trainer(model, [stage], folder=tmp_path / folder, tensorboard=False).run()
        lines = [line for line in log(tmp_path / folder) if "objective" in line]
        return model, figures, lines

    states = []

    def validate(model):
        states.append(copy.deepcopy(model.state_dict()))
        assert not model.training and not torch.is_grad_enabled()
        return {"drawn": float(torch.rand(())), "loss": float(next_token_loss(model, rows(-1, Share())).value)}

    model, figures, lines = train(validate, "with")
    other, _, plain_lines = train(None, "without")
    assert lines == plain_lines
    assert len(states) == 3  # after 5, after 10, at the end
    assert all(torch.equal(value, states[-1][name]) for name, value in model.state_dict().items())
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in model.state_dict().items())
    drawn = [line["validation"]["drawn"] for line in log(tmp_path / "with") if "validation" in line]
    assert len(set(drawn)) == 1  # each validation draws the same, so that they can be compared
    assert figures["only"]["validation loss"] == pytest.approx(next_token_loss(model, rows(-1, Share())).value.item())


def test_a_shared_seed_gives_one_course_and_the_random_state_is_left_alone(tmp_path):
    def losses(folder, seed):
        torch.manual_seed(3)
        model = Tiny()
        torch.manual_seed(len(folder))
        before = torch.get_rng_state()
        Trainer(model, plain(model, 5), folder=tmp_path / folder, seed=seed, tensorboard=False).run()
        assert torch.equal(torch.get_rng_state(), before)
        return [line["loss"] for line in log(tmp_path / folder)]

    assert losses("a", 1) == losses("bb", 1) != losses("ccc", 2)


def test_progress_counts_all_stages(tmp_path):
    told = []
    torch.manual_seed(0)
    model = Tiny()
    trainer = Trainer(model, rich(model, 6), folder=tmp_path, progress=lambda *x: told.append(x), tensorboard=False)
    figures = trainer.run()
    assert told[-1] == (9, 9) and (3, 9) in told and told == sorted(told)
    assert set(figures) == {"only", "second"}
    assert {"judge", "both", "validation loss"} <= set(figures["second"])
    assert (
        Trainer(model, rich(model, 6), folder=tmp_path, tensorboard=False).run() == figures
    )  # there is nothing left to do


def test_max_steps_bounds_each_stage(tmp_path):
    model = Tiny()
    Trainer(model, rich(model, 10), folder=tmp_path, max_steps=2, tensorboard=False).run()
    assert {(line["stage"], line["step"]) for line in log(tmp_path) if "objective" in line} == {
        ("only", 0), ("only", 1), ("second", 0), ("second", 1),
    }  # fmt: skip


def test_weights_of_shares(linear, run, tmp_path):
    """A mean over two unequal shares weighs them by what they count; a share that counts nothing is left out."""

    def loss(x):
        return Loss((linear(x) ** 2).sum() / max(len(x), 1), len(x), {"rows": len(x)})

    def data(step, share):
        return numbers(step, Share())[[slice(0, 5), slice(5, 8), slice(8, 8)][share.part]]

    expected = float((linear(numbers(0, Share())) ** 2).sum() / 8)
    run(linear, [Stage("one", 1, data, [objective(linear, loss)])], accumulate=3)
    (line,) = log(tmp_path)
    assert line["loss"] == pytest.approx(expected, abs=1e-6)
    assert line["weight"] == 8 and line["rows"] == pytest.approx((5 * 5 + 3 * 3) / 8)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan")])
def test_a_loss_without_weight(linear, run, weight):
    loss = lambda x: Loss(linear(x).mean(), weight)  # noqa: E731
    with pytest.raises(OrchestrionError, match="'fit'"):
        run(linear, [Stage("one", 1, numbers, [objective(linear, loss)])])


def test_a_loss_that_is_not_a_number_is_not_kept(linear, run, tmp_path):
    loss = lambda x: Loss(linear(x).mean() * (float("nan") if calls.append(0) or len(calls) > 3 else 1.0))  # noqa: E731
    calls = []
    with pytest.raises(OrchestrionError, match="The loss 'fit' became nan at step 3 of stage 'one'"):
        run(linear, [Stage("one", 9, numbers, [objective(linear, loss)])], checkpoint_seconds=0)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["000-0000000002", "000-0000000003"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 1}, "was begun with seed = 0, not 1"),
        ({"accumulate": 2}, "shares of a batch = 1, not 2"),
        ({"max_steps": 4}, "'only' = 5, not 4"),
        ({"stage": {"ema": 0.9}}, "ema of stages, 'only' = other values, not 0.9"),
        ({"stage": {"precision": "bfloat16"}}, "precision of stages, 'only' = float32, not bfloat16"),
        ({"model": nn.Linear(2, 2)}, "model = Tiny, not Linear"),
    ],
)
def test_resuming_something_else_is_refused(tmp_path, change, said):
    def trainer(model=None, stage=(), **options):
        model = model or Tiny()
        stages = plain(model, 5) if isinstance(model, Tiny) else [Stage("only", 5, numbers, [objective(model)])]
        for name, value in dict(stage).items():
            setattr(stages[0], name, value)
        return Trainer(model, stages, folder=tmp_path, tensorboard=False, **options)

    trainer().run()
    before = (tmp_path / "log.jsonl").read_bytes()
    with pytest.raises(OptionError, match="give the same arguments or another folder") as raised:
        trainer(**change).run()
    assert said in str(raised.value)
    assert (tmp_path / "log.jsonl").read_bytes() == before


def test_stages_that_cannot_be_run(linear, tmp_path):
    other = nn.Linear(3, 2)
    bad = {
        "no stages": [],
        "same name": [Stage("a", 1, numbers, [objective(linear)])] * 2,
        "no objectives": [Stage("a", 1, numbers, [])],
        "no part of the model": [Stage("a", 1, numbers, [objective(other)])],
        "no parameters": [Stage("a", 1, numbers, [Objective("x", len, [], torch.optim.SGD)])],
    }
    for said, stages in bad.items():
        with pytest.raises(OptionError, match=said):
            Trainer(linear, stages, folder=tmp_path)
    with pytest.raises(OptionError, match="accumulate is 0"):
        Trainer(linear, [Stage("a", 1, numbers, [objective(linear)])], folder=tmp_path, accumulate=0)
    with pytest.raises(OptionError, match="precision 'float8'"):
        Trainer(linear, [Stage("a", 1, numbers, [objective(linear)], precision="float8")], folder=tmp_path).run()


def test_a_damaged_checkpoint_is_named(linear, tmp_path):
    stages = [Stage("a", 1, numbers, [objective(linear)])]
    Trainer(linear, stages, folder=tmp_path, tensorboard=False).run()
    file = tmp_path / "checkpoints/001-0000000000/tensors.safetensors"
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(WeightsError, match=r"001-0000000000 is damaged; delete it"):
        Trainer(linear, stages, folder=tmp_path, tensorboard=False).run()
