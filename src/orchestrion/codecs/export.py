"""Streaming networks for other programs: TorchScript that keeps its state, and ONNX whose state goes in and out."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from orchestrion.codecs.block_stream import StreamingNetwork
from orchestrion.errors import MissingDependencyError, OptionError
from orchestrion.media.files import atomic_write


class Step(nn.Module):
    """One block of a streaming network as a function of tensors: the block and the state, to the output and the new
    state.

    Args:
        network: a stream.
        settled: without the silencing before the start and after the end, as a host has it that never stops.
    """

    def __init__(self, network: StreamingNetwork, *, settled: bool = True) -> None:
        super().__init__()
        self.module, self.rate = network.module, network.before.rate
        self.settled = settled

    def forward(self, block: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        held = list(state)
        here = block.new_ones(1, 1, 0 if self.settled else block.shape[-1] // self.rate)
        made = self.module(block, held, here)
        return made, held


class Host(nn.Module):
    """What TorchScript hosts call: `encode`, `decode` and `forward`, with the state inside.

    Args:
        encode, decode: traced steps.
        states: zeros to begin with, for one signal.
    """

    def __init__(self, encode: Any, decode: Any, states: tuple[list[Tensor], list[Tensor]]) -> None:
        super().__init__()
        self.encoder, self.decoder = encode, decode
        self.encoder_state: list[Tensor] = states[0]
        self.decoder_state: list[Tensor] = states[1]

    @torch.jit.export
    def encode(self, x):
        if x.shape[0] != self.encoder_state[0].shape[0]:
            self.encoder_state = fresh(self.encoder_state, x)
        made, state = self.encoder(x, self.encoder_state)
        self.encoder_state = state
        return made

    @torch.jit.export
    def decode(self, z):
        if z.shape[0] != self.decoder_state[0].shape[0]:
            self.decoder_state = fresh(self.decoder_state, z)
        made, state = self.decoder(z, self.decoder_state)
        self.decoder_state = state
        return made

    @torch.jit.export
    def reset(self):
        # begins anew
        self.encoder_state = fresh(self.encoder_state, self.encoder_state[0])
        self.decoder_state = fresh(self.decoder_state, self.decoder_state[0])

    def forward(self, x):
        return self.decode(self.encode(x))


def fresh(state: list[Tensor], like: Tensor) -> list[Tensor]:
    made: list[Tensor] = []
    for one in state:
        made.append(torch.zeros([like.shape[0], one.shape[1], one.shape[2]], device=one.device, dtype=one.dtype))
    return made


def to_torchscript(encoder: StreamingNetwork, decoder: StreamingNetwork, path: str | Path, *, channels: int) -> Path:
    """Writes a TorchScript module with `encode`, `decode`, `forward` and `reset` for blocks of any number of steps,
    and the buffers `encode_params`, `decode_params`, `forward_params` that nn~ hosts read: channels and samples a
    frame, in and out.

    Raises:
        OutputError: the file cannot be written.
    """
    parts, states = [], []
    size = 1
    for network, wide in ((encoder, channels), (decoder, 0)):
        state = network.plan.state(1, like=next(network.module.parameters()))
        block = torch.zeros(1, wide or size, 2 * network.before.rate)
        with torch.no_grad():
            made, _ = Step(network)(block, state)
            size = made.shape[1] if wide else size
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that a list comes out, whose length never changes
                parts.append(torch.jit.trace(Step(network).eval(), (block, state), check_trace=False))
        states.append(state)
    host = Host(parts[0], parts[1], (states[0], states[1]))
    ratio = encoder.before.rate
    for name, numbers in (
        ("encode_params", (channels, 1, size, ratio)),
        ("decode_params", (size, ratio, channels, 1)),
        ("forward_params", (channels, 1, channels, 1)),
    ):
        host.register_buffer(name, torch.tensor(numbers))
    scripted = torch.jit.script(host.eval())
    with atomic_write(path) as temporary:
        torch.jit.save(scripted, str(temporary))
    return Path(path)


def to_onnx(network: StreamingNetwork, path: str | Path, *, channels: int, steps: int = 1) -> Path:
    """Writes one direction as ONNX, for blocks of so many steps and one signal: inputs "block", "state_0", …; outputs
    "made", "next_0", …

    Raises:
        MissingDependencyError: the packages for it are missing.
        OptionError: the number of steps is not positive.
        OutputError: the file cannot be written.
    """
    if steps < 1:
        raise OptionError(f"A block of {steps} steps cannot be exported; give at least one.")
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "Exporting to ONNX needs more packages; install them with `pip install 'orchestrion[export]'`."
        ) from error
    state = network.plan.state(1, like=next(network.module.parameters()))
    block = torch.zeros(1, channels, steps * network.before.rate)
    numbers = range(len(state))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the exporter itself will have to change
        program = torch.onnx.export(
            Step(network).eval(),
            (block, state),
            input_names=["block", *[f"state_{n}" for n in numbers]],
            output_names=["made", *[f"next_{n}" for n in numbers]],
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    with atomic_write(path) as temporary:
        program.save(str(temporary), external_data=False)
    return Path(path)
