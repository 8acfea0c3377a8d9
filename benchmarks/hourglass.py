"""One denoising step of the hourglass transformer at the size of Pictures of MIDI's release, against k-diffusion's.

Both get the same weights, picture and noise level, on one thread and without a compiler; the outputs are compared. The
published attention of the two fine levels needs NATTEN, whose kernels do not run on CPUs: k-diffusion is timed with its
shifted windows of 8 × 8 there, and ours with both.

PYTHONPATH=path/of/k-diffusion K_DIFFUSION_USE_COMPILE=0 python benchmarks/hourglass.py
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import time
from collections.abc import Callable

import torch

from orchestrion.hub.official.pictures_of_midi import convert
from orchestrion.systems.pictures_of_midi import PicturesOfMidi


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4])
    options = parser.parse_args()
    torch.set_num_threads(1)
    published = _published()
    ours = {
        "shifted windows": PicturesOfMidi.from_preset(
            "paper", attentions=("shifted_window", "shifted_window", "global"), windows=(8, 8, 0)
        ).network.eval(),
        "neighbourhoods": PicturesOfMidi.from_preset("paper").network.eval(),
    }
    state = {key: value + 0.02 * torch.randn_like(value) for key, value in published.state_dict().items()}
    for key in state:
        if key.endswith("freqs"):
            state[key] = published.state_dict()[key]
    published.load_state_dict(state)
    for network in ours.values():
        network.load_state_dict({key.removeprefix("network."): value for key, value in convert(state).items()})
    print("| batch | attention | ms a step (processor time) | k-diffusion | ratio | largest difference |")
    print("|---|---|---|---|---|---|")
    for batch in options.batch:
        x, sigma = torch.randn(batch, 3, 256, 256), torch.full((batch,), 1.5)
        runs: dict[str, Callable[[], torch.Tensor]] = {"k-diffusion": lambda x=x, s=sigma: published(x, s)}
        for name, network in ours.items():
            runs[name] = lambda x=x, s=sigma, network=network: network(x, s.log() / 4)
        with torch.inference_mode():
            outputs = {name: call() for name, call in runs.items()}
            times = _interleaved(runs, options.repeats)
        for name in ours:
            error = float((outputs[name] - outputs["k-diffusion"]).abs().max()) if name == "shifted windows" else None
            print(
                f"| {batch} | {name} | {1e3 * times[name]:.0f} | {1e3 * times['k-diffusion']:.0f} "
                f"| {times['k-diffusion'] / times[name]:.2f} | {'–' if error is None else f'{error:.1e}'} |",
                flush=True,
            )


def _published() -> torch.nn.Module:
    """k-diffusion's network at the released size."""
    module = importlib.import_module("k_diffusion.models.image_transformer_v2")
    window, everything = module.ShiftedWindowAttentionSpec(64, 8), module.GlobalAttentionSpec(64)
    levels = [
        module.LevelSpec(2, 128, 384, window, 0.0),
        module.LevelSpec(2, 256, 768, window, 0.0),
        module.LevelSpec(4, 512, 1536, everything, 0.1),
    ]
    mapping = module.MappingSpec(2, 256, 768, 0.0)
    return module.ImageTransformerDenoiserModelV2(levels, mapping, 3, 3, (4, 4)).eval()


def _interleaved(runs: dict[str, Callable[[], torch.Tensor]], repeats: int) -> dict[str, float]:
    """Median processor time of each, measured in turn."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, call in runs.items():
            start = time.process_time()
            call()
            found[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in found.items()}


if __name__ == "__main__":
    main()
