"""LARS: one step by hand, what is left out, and the published fault."""

import pytest
import torch

from orchestrion.training.lars import Lars


def parameters():
    torch.manual_seed(0)
    made = [torch.nn.Parameter(torch.randn(3, 4)), torch.nn.Parameter(torch.randn(3))]
    for one in made:
        one.grad = torch.randn_like(one)
    return made


@pytest.mark.parametrize("quirks", ["none", "official"])
def test_two_steps_by_hand(quirks):
    ours = parameters()
    optimiser = Lars(ours, 0.5, momentum=0.9, weight_decay=0.1, trust=0.01, quirks=quirks)
    expected = [one.detach().clone() for one in parameters()]
    gradients = [one.grad.clone() for one in ours]
    velocity = [torch.zeros_like(one) for one in expected]
    for _ in range(2):
        optimiser.step()
        for number, weight in enumerate(expected):
            gradient, ratio = gradients[number].clone(), 1.0
            if number == 0 or quirks == "official":
                gradient = gradient + 0.1 * weight
                ratio = 0.01 * weight.norm() / gradient.norm()
            velocity[number] = 0.9 * velocity[number] + 0.5 * ratio * gradient
            expected[number] = weight - velocity[number]
    for one, two in zip(ours, expected, strict=True):
        torch.testing.assert_close(one.detach(), two)


def test_zero_weights_and_gradients_do_not_stop_it():
    weight = torch.nn.Parameter(torch.zeros(2, 2))
    weight.grad = torch.ones(2, 2)
    optimiser = Lars([weight], 0.1, weight_decay=0.0)
    optimiser.step()
    torch.testing.assert_close(weight.detach(), torch.full((2, 2), -0.1))
    weight.grad = torch.zeros(2, 2)
    optimiser.step()
    assert weight.isfinite().all()
    with pytest.raises(ValueError, match="quirks"):
        Lars([weight], 0.1, quirks="other")
