"""The checkerboards that the learned self-similarity begins with."""

from __future__ import annotations

import numpy as np

from orchestrion.nn.ssm_network import KERNEL_SCALE, SsmNetwork, checkerboard


def test_a_taper_of_no_width_leaves_nothing():
    assert not checkerboard(3, 0.0).any()
    # the published network has the same three kernels, of which the last tapers to nothing
    weights = SsmNetwork(step=1.0, half_seconds=1.0, sigma_seconds=2.0).kernels.weight.detach().numpy()[:, 0]
    np.testing.assert_allclose(weights[:, 0, 0], [KERNEL_SCALE * np.exp(-1 / 4), KERNEL_SCALE * np.exp(-1), 0])
    assert np.isfinite(weights).all()
