"""Contrastive, variational and adversarial losses: known answers, naive versions, and what gradients reach."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.paradigms import adversarial, contrastive, variational
from orchestrion.paradigms.noise import uniform


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=seeded(seed))


# contrastive ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 5])
def test_nt_xent_of_equal_embeddings_is_the_log_of_how_many_others_there_are(count):
    same = torch.ones(count, 4)
    assert float(contrastive.nt_xent(same, same)) == pytest.approx(math.log(2 * count - 1), rel=1e-5)


@settings(deadline=None, max_examples=8)
@given(st.integers(2, 6), st.floats(0.05, 2.0), st.integers(0, 99))
def test_nt_xent_equals_a_naive_version_and_ignores_lengths(count, temperature, seed):
    first, second = normal(count, 3, seed=seed), normal(count, 3, seed=seed + 1)
    views, total = torch.cat([first, second]), 0.0
    for i in range(2 * count):
        likeness = torch.cosine_similarity(views[i : i + 1], views) / temperature
        others = [j for j in range(2 * count) if j != i]
        total -= float(likeness[(i + count) % (2 * count)] - likeness[others].logsumexp(0))
    ours = float(contrastive.nt_xent(first, second, temperature=temperature))
    assert ours == pytest.approx(total / (2 * count), rel=1e-4)
    assert float(contrastive.nt_xent(first * 7, second * 0.1, temperature=temperature)) == pytest.approx(ours, rel=1e-4)


def test_info_nce_and_clap_find_the_own_one_among_others():
    keys = torch.eye(4)
    assert float(contrastive.info_nce(keys, keys, temperature=0.01)) < 1e-6
    assert float(contrastive.info_nce(keys, keys.roll(1, 0), temperature=0.01)) == pytest.approx(100, rel=1e-3)
    plain = contrastive.info_nce(keys, keys, temperature=1.0)
    assert float(plain) == pytest.approx(math.log(math.e + 3) - 1, rel=1e-5)
    more = contrastive.info_nce(keys, keys, temperature=1.0, negatives=-keys)
    assert float(more) > float(plain)
    assert float(contrastive.clap_loss(keys, keys, scale=1.0)) == pytest.approx(float(plain), rel=1e-5)
    audio, text = normal(5, 3), normal(5, 3, seed=1)
    both_ways = [contrastive.info_nce(a, b, temperature=1 / 14) for a, b in ((audio, text), (text, audio))]
    assert float(contrastive.clap_loss(audio, text, scale=torch.tensor(14.0))) == pytest.approx(
        float(sum(both_ways)) / 2, rel=1e-4
    )


def test_triplet_and_ranking_are_zero_once_the_margin_is_kept():
    x = torch.eye(3)
    assert float(contrastive.triplet(x, x, x.roll(1, 0), margin=0.9)) == 0
    assert float(contrastive.triplet(x, x.roll(1, 0), x, margin=0.4)) == pytest.approx(1.4)
    assert float(contrastive.pairwise_ranking(x, x, margin=0.7)) == 0
    assert float(contrastive.pairwise_ranking(x, x.roll(1, 0), margin=0.7)) == pytest.approx(2 * (0.7 + 1.7))


def test_one_item_cannot_be_told_from_others():
    with pytest.raises(ValueError, match="two items"):
        contrastive.nt_xent(torch.ones(1, 2), torch.ones(1, 2))


# variational ----------------------------------------------------------------------------------------------------------


def test_kl_of_each_convention():
    mean, scale = normal(4, 3, 5), normal(4, 3, 5, seed=1).exp()
    nats = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, scale), torch.distributions.Normal(torch.zeros(()), torch.ones(()))
    )
    found = {name: float(variational.gaussian_kl(mean, scale, convention=name)) for name in variational.CONVENTIONS}
    assert found["half_sum"] == pytest.approx(float(nats.sum((1, 2)).mean()), rel=1e-5)
    assert found["mean"] == pytest.approx(float(nats.mean()), rel=1e-5)
    assert found["rave"] == pytest.approx(2 * float(nats.sum(1).mean()), rel=1e-5)
    zero, one = torch.zeros(2, 3), torch.ones(2, 3)
    assert [float(variational.gaussian_kl(zero, one, convention=name)) for name in variational.CONVENTIONS] == [0] * 3
    with pytest.raises(ValueError, match="rave"):
        variational.gaussian_kl(mean, scale, convention="sum")


def test_reparametrised_draws_carry_gradients_and_follow_the_seed():
    mean, scale = torch.full((20000,), 2.0, requires_grad=True), torch.full((20000,), 0.5, requires_grad=True)
    drawn = variational.reparameterize(mean, scale, generator=seeded(3))
    assert float(drawn.detach().mean()) == pytest.approx(2, abs=0.02)
    assert float(drawn.detach().std()) == pytest.approx(0.5, abs=0.02)
    drawn.sum().backward()
    assert torch.equal(mean.grad, torch.ones_like(mean))
    torch.testing.assert_close(scale.grad, (drawn.detach() - 2) / 0.5, atol=1e-5, rtol=1e-4)
    again = variational.reparameterize(mean, scale, generator=seeded(3))
    assert torch.equal(again, drawn)


def test_discrepancy_is_small_for_the_same_distribution_and_large_for_another():
    near = float(variational.maximum_mean_discrepancy(normal(400, 4), normal(400, 4, seed=1)))
    far = float(variational.maximum_mean_discrepancy(normal(400, 4) + 2, normal(400, 4, seed=1)))
    assert 0 <= near < 0.01 < 10 * near < far
    x = normal(30, 4)
    assert float(variational.maximum_mean_discrepancy(x, x)) == pytest.approx(0, abs=1e-6)


def test_the_sphere_has_radius_one_and_beta_grows_along_a_line_in_its_logarithm():
    z = variational.to_sphere(normal(2, 5, 7))
    torch.testing.assert_close(z.square().sum(1), torch.ones(2, 7))
    grown = [variational.log_interpolated(n, start=1e-6, end=1e-2, steps=4) for n in (-1, 0, 1, 2, 4, 9)]
    assert grown == pytest.approx([1e-6, 1e-6, 1e-5, 1e-4, 1e-2, 1e-2])


def test_stratified_draws_fall_one_into_each_interval():
    draws = uniform(50, generator=seeded(4), stratified=True)
    assert [int(u * 50) for u in draws.tolist()] == list(range(50))


# adversarial ----------------------------------------------------------------------------------------------------------


def test_known_answers_of_the_adversarial_losses():
    sure, fooled = torch.tensor([2.0, 3.0]), torch.tensor([-2.0, -1.0])
    assert float(adversarial.hinge_discriminator(sure, fooled)) == 0
    assert float(adversarial.hinge_discriminator(fooled, sure)) == pytest.approx(2.5 + 3.5)
    assert float(adversarial.hinge_generator(fooled)) == pytest.approx(1.5)
    one, zero = torch.ones(3), torch.zeros(3)
    assert float(adversarial.least_squares_discriminator(one, zero)) == 0
    assert float(adversarial.least_squares_discriminator(zero, one)) == 2
    assert float(adversarial.least_squares_generator(zero)) == 1
    assert float(adversarial.nonsaturating_discriminator(zero, zero)) == pytest.approx(2 * math.log(2))
    assert float(adversarial.nonsaturating_generator(zero)) == pytest.approx(math.log(2))
    assert float(adversarial.nonsaturating_generator(torch.tensor([-200.0]))) == pytest.approx(200)  # no overflow


def test_scores_of_several_discriminators_are_averaged_whatever_their_sizes():
    scores = [torch.zeros(2, 1, 7), torch.ones(2, 1, 3)]
    assert float(adversarial.least_squares_generator(scores)) == pytest.approx(0.5)
    assert float(adversarial.hinge_generator(scores)) == pytest.approx(-0.5)
    assert float(adversarial.hinge_discriminator(scores, scores)) == pytest.approx(2)


def test_feature_matching_weighs_layers_and_reaches_the_generated_side_only():
    real = [[torch.full((2, 3), 2.0, requires_grad=True), torch.full((2, 5), 10.0)]]
    fake = [[torch.full((2, 3), 3.0), torch.full((2, 5), 13.0)]]
    assert float(adversarial.feature_matching(real, fake)) == pytest.approx((1 + 3) / 2)
    assert float(adversarial.feature_matching(real, fake, norm="l2")) == pytest.approx((1 + 9) / 2)
    assert float(adversarial.feature_matching(real, fake, relative=True)) == pytest.approx((0.5 + 0.3) / 2)
    assert float(adversarial.feature_matching(real, fake, skip=1)) == pytest.approx(3)
    fake[0][0].requires_grad_()
    adversarial.feature_matching(real, fake).backward()
    assert real[0][0].grad is None
    assert float(fake[0][0].grad.abs().sum()) > 0
    with pytest.raises(ValueError, match="l1"):
        adversarial.feature_matching(real, fake, norm="l3")


def test_r1_is_half_the_squared_slope_of_a_line():
    slope, x = torch.tensor([3.0, 4.0]), normal(6, 2).requires_grad_()
    weight = slope.clone().requires_grad_()
    penalty = adversarial.r1_penalty(x @ weight, x)
    assert float(penalty) == pytest.approx(25 / 2)
    penalty.backward()
    torch.testing.assert_close(weight.grad, slope)


def test_adaptive_weight_makes_both_losses_pull_alike():
    last = torch.ones(3, requires_grad=True)
    reconstruction, score = (last * 6).sum(), (last * 2).sum()
    weight = adversarial.adaptive_weight(reconstruction, score, last, eps=0.0)
    assert float(weight) == pytest.approx(3)
    assert not weight.requires_grad
    assert float(adversarial.adaptive_weight(reconstruction, score * 0, last, limit=100.0)) == 100
