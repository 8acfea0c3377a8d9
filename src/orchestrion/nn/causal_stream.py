"""Causal networks of padded convolutions and LSTMs block by block: what comes out is what the whole would have given.

Nothing is late, since nothing looks ahead. (Networks that look both ways stream by `nn.streaming`.)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orchestrion.errors import OptionError
from orchestrion.nn.padded_convolution import (
    PaddedConv1d,
    PaddedConvTranspose1d,
    ResidualLSTM,
    Shortcut,
    pad_signal,
)

_POINTWISE = (nn.Identity, nn.ELU, nn.Tanh)


class CausalStream:
    """One sound (or several side by side) on its way through a network.

    The left padding of the whole is made from the first block. Where it reflects the beginning, the first block must be
    long enough for that in every layer (7 frames of the slowest layer, in EnCodec); a shorter one is reflected as a
    sound that ends there would be.

    Args:
        network: of sequences, the modules of `nn.padded_convolution`, and pointwise activations.

    Raises:
        OptionError: a part of the network is not causal, or is none of these.
    """

    def __init__(self, network: nn.Module) -> None:
        check_causal(network)
        self._network = network
        self._held: dict[nn.Module, Tensor] = {}
        self._states: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    @torch.no_grad()
    def __call__(self, block: Tensor) -> Tensor:
        """What the next block [batch, channels, time] gives; its length is a multiple of the strides.

        Raises:
            OptionError: it is not.
        """
        return self._through(self._network, block)

    def _through(self, module: nn.Module, x: Tensor) -> Tensor:
        if isinstance(module, nn.Sequential):
            for part in module:
                x = self._through(part, x)
            return x
        if isinstance(module, PaddedConv1d):
            return self._convolved(module, x)
        if isinstance(module, PaddedConvTranspose1d):
            return self._transposed(module, x)
        if isinstance(module, ResidualLSTM):
            made, self._states[module] = module.lstm(x.permute(2, 0, 1), self._states.get(module))
            return x + made.permute(1, 2, 0)
        if isinstance(module, Shortcut):
            return self._through(module.shortcut, x) + self._through(module.body, x)
        return module(x)

    def _convolved(self, module: PaddedConv1d, x: Tensor) -> Tensor:
        if x.shape[-1] % module.stride:
            raise OptionError(f"A block of {x.shape[-1]} frames cannot be divided by a stride of {module.stride}.")
        left, held = module.reach - module.stride, self._held.get(module)
        line = pad_signal(x, left, 0, mode=module.pad_mode) if held is None else torch.cat([held, x], -1)
        self._held[module] = line[..., line.shape[-1] - left :].clone()
        return module.conv(line)

    def _transposed(self, module: PaddedConvTranspose1d, x: Tensor) -> Tensor:
        y, held = module.conv(x), self._held.get(module)
        if held is not None:
            y[..., : module.right] += held
        cut = y.shape[-1] - module.right
        over = y[..., cut:]
        bias = module.conv.bias
        self._held[module] = over - bias[:, None] if isinstance(bias, Tensor) else over
        return y[..., :cut]


def check_causal(network: nn.Module) -> None:
    """Raises:
    OptionError: `CausalStream` cannot run the network.
    """
    if isinstance(network, nn.Sequential):
        for part in network:
            check_causal(part)
    elif isinstance(network, PaddedConv1d | PaddedConvTranspose1d):
        if not network.causal or getattr(network, "left", 0):
            raise OptionError("The network looks ahead, so it cannot work block by block; code whole files.")
    elif isinstance(network, ResidualLSTM):
        if network.lstm.bidirectional:
            raise OptionError("An LSTM that reads backwards cannot work block by block; code whole files.")
    elif isinstance(network, Shortcut):
        check_causal(network.shortcut)
        check_causal(network.body)
    elif not isinstance(network, _POINTWISE):
        raise OptionError(f"{type(network).__name__} has no causal stream.")
