"""MusicLDM at its published sizes, random weights, beside the parts of the diffusers pipeline with the same weights.

One guided step of the U-Net at (2, 8, 256, 16), and decoding and vocoding of 10.24 s. The two sides take turns;
medians, their ratio, the largest difference of the outputs, and the peak memory of each side in its own process.
Needs diffusers and transformers: `python benchmarks/musicldm.py [--rounds 5] [--json FILE]`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from process import peak_memory

CHANNELS = (128, 256, 384, 640)
UNET = {
    "sample_size": 64,
    "in_channels": 8,
    "out_channels": 8,
    "down_block_types": ("DownBlock2D", *["CrossAttnDownBlock2D"] * 3),
    "up_block_types": (*["CrossAttnUpBlock2D"] * 3, "UpBlock2D"),
    "block_out_channels": CHANNELS,
    "layers_per_block": 2,
    "cross_attention_dim": CHANNELS,
    "attention_head_dim": [count // 32 for count in CHANNELS],
    "class_embed_type": "simple_projection",
    "projection_class_embeddings_input_dim": 512,
    "class_embeddings_concat": True,
}
VAE = {
    "in_channels": 1,
    "out_channels": 1,
    "down_block_types": ("DownEncoderBlock2D",) * 3,
    "up_block_types": ("UpDecoderBlock2D",) * 3,
    "block_out_channels": (128, 256, 512),
    "latent_channels": 8,
    "layers_per_block": 2,
}
VOCODER = {
    "model_in_dim": 64,
    "upsample_initial_channel": 1024,
    "upsample_rates": [5, 4, 2, 2, 2],
    "upsample_kernel_sizes": [16, 16, 8, 4, 4],
    "normalize_before": False,
}


PARTS = {"guided step": ("unet",), "decode and vocode": ("vae", "vocoder")}


def theirs(names: Sequence[str] = ("unet", "vae", "vocoder")) -> dict[str, torch.nn.Module]:
    """Parts of the pipeline."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    torch.manual_seed(0)
    made = {
        "unet": lambda: UNet2DConditionModel(**UNET),
        "vae": lambda: AutoencoderKL(**VAE),
        "vocoder": lambda: SpeechT5HifiGan(SpeechT5HifiGanConfig(**VOCODER)),
    }
    parts = {name: made[name]() for name in names}
    with torch.no_grad():
        for parameter in parts["vocoder"].parameters() if "vocoder" in parts else ():
            if parameter.ndim > 1:  # initialised so small that nothing is heard
                parameter.normal_(std=parameter[0].numel() ** -0.5)
    return {name: part.eval() for name, part in parts.items()}


def ours(
    states: dict[str, dict[str, torch.Tensor]] | None, names: Sequence[str] = ("unet", "vae", "vocoder")
) -> dict[str, torch.nn.Module]:
    """Our parts with their weights, or with some of their own."""
    from orchestrion.codecs.mel_vae import MelVae
    from orchestrion.codecs.vocoders import HiFiGan
    from orchestrion.hub.official import hifigan, latent_diffusion
    from orchestrion.nn.unet import UNet

    made = {
        "unet": lambda: UNet(**latent_diffusion.hub_unet_arguments(UNET)),
        "vae": lambda: MelVae(**latent_diffusion.hub_vae_arguments(VAE)),
        "vocoder": lambda: HiFiGan(**hifigan.hifigan_arguments(VOCODER)),
    }
    parts = {name: made[name]() for name in names}
    if states is not None:
        parts["unet"].load_state_dict(latent_diffusion.convert_unet(states["unet"], UNET))
        parts["vae"].load_state_dict(latent_diffusion.convert_vae(states["vae"], VAE))
        parts["vocoder"].load_state_dict(hifigan.convert_hifigan(states["vocoder"]))
    for part in parts.values():
        part.eval()
        for module in part.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.to(memory_format=torch.channels_last)
    return parts


def work(side: str, parts: dict[str, Any], seed: int = 1) -> dict[str, Callable[[], torch.Tensor]]:
    """What is timed, by name."""
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(2, 8, 256, 16, generator=generator), torch.randn(2, 512, generator=generator)
    z, t = torch.randn(1, 8, 256, 16, generator=generator), torch.tensor([500, 500])

    def guided(noise: torch.Tensor) -> torch.Tensor:
        without, told = noise.chunk(2)
        return without + 2.0 * (told - without)

    if side == "diffusers":
        return {
            "guided step": lambda: guided(parts["unet"](x, 500, encoder_hidden_states=None, class_labels=y).sample),
            "decode and vocode": lambda: parts["vocoder"](parts["vae"].decode(z).sample[:, 0])[:, :163_840],
        }
    return {
        "guided step": lambda: guided(parts["unet"](x, t, y)),
        "decode and vocode": lambda: parts["vocoder"](parts["vae"].decode(z)[:, 0].mT)[:, :163_840],
    }


def memory(side: str, name: str) -> float:
    """Peak memory in MB of a process that does one kind of work alone."""
    done = subprocess.run([sys.executable, __file__, "--alone", side, name], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--cpu-time", action="store_true", help="time of the process instead of the clock's")
    parser.add_argument("--json")
    parser.add_argument("--alone", nargs=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.alone:
        side, name = given.alone
        with torch.inference_mode():
            work(side, theirs(PARTS[name]) if side == "diffusers" else ours(None, PARTS[name]))[name]()
        print(peak_memory())
        return
    reference = theirs()
    states = {name: dict(part.state_dict()) for name, part in reference.items()}
    sides = {"diffusers": work("diffusers", reference), "orchestrion": work("orchestrion", ours(states))}
    clock = time.process_time if given.cpu_time else time.perf_counter
    rows = []
    with torch.inference_mode():
        for name in sides["orchestrion"]:
            taken: dict[str, list[float]] = {side: [] for side in sides}
            outputs = {side: doing[name]() for side, doing in sides.items()}
            for _ in range(given.rounds):
                for side, doing in sides.items():
                    began = clock()
                    doing[name]()
                    taken[side].append(clock() - began)
            medians = {side: statistics.median(values) for side, values in taken.items()}
            difference = float((outputs["diffusers"] - outputs["orchestrion"]).abs().max())
            row = {
                "work": name, **medians, "ratio": medians["diffusers"] / medians["orchestrion"],
                "largest difference": difference, "deviation": float(outputs["diffusers"].std()),
            }  # fmt: skip
            rows.append(row)
            print(json.dumps(row), flush=True)
    if given.json:
        for row in rows:
            row["memory"] = {side: memory(side, row["work"]) for side in sides}
        Path(given.json).write_text(json.dumps({"threads": given.threads, "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
