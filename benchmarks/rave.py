"""RAVE: the decoder of version 1 block by block against real time, and encoding and decoding with version 2 against the
authors' code.

    python benchmarks/rave.py [CHECKOUT CACHED_CONV] [--seconds 30] [--rounds 5] [--threads 2] [--block 8]

All have random weights of the published sizes. The stream makes `--seconds` of sound at 48 kHz in blocks of `--block`
latent frames of 2,048 samples. The second table encodes and decodes `--seconds` of sound at 44.1 kHz with the same
weights, the authors' network as it comes out of training (weight norm in place, whole sound at once) and ours as it
encodes files, block by block; the sound of both is compared. Runs are interleaved and the medians count. Peak memory is
that of a process which does nothing else. CHECKOUT and CACHED_CONV are clones of github.com/acids-ircam/RAVE and
github.com/acids-ircam/cached_conv; without them only ours is timed.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import statistics
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

import torch
from process import peak_memory

RATE_V1, RATE_V2 = 48000, 44100


def stream(seconds: float, block: int) -> Callable[[], None]:
    """Makes so much sound with the decoder of version 1 at 48 kHz, noise and filter bank included."""
    from orchestrion.systems.rave import RAVE

    torch.manual_seed(0)
    model = RAVE.from_preset("v1", rate=RATE_V1)
    model.second_stage.fill_(1.0)
    network = model.streaming_decoder(latent_size=128)
    steps = round(seconds * RATE_V1 / model.ratio)
    z = torch.randn(1, 128, steps)

    def run() -> None:
        running = network.run(1)
        for part in z.split(block, -1):
            running(part)

    return run


def published(checkout: str, cached: str) -> torch.nn.Module:
    """The authors' network of version 2, without what trains it."""
    for name in (
        "gin",
        "GPUtil",
        "lmdb",
        "pytorch_lightning",
        "torchaudio",
        "torchaudio.transforms",
        "librosa",
        "einops",
    ):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
            continue
        sys.modules[name] = _Nothing(name)
    gin = sys.modules["gin"]
    gin.configurable = lambda thing=None, **rest: thing if thing is not None else (lambda other: other)  # type: ignore[attr-defined]
    sys.path.insert(0, cached)
    package = types.ModuleType("rave")  # its own imports need packages that this comparison does not
    package.__path__ = [str(Path(checkout) / "rave")]  # type: ignore[attr-defined]
    sys.modules["rave"] = package
    import cached_conv as cc

    cc.Conv1d = functools.partial(cc.Conv1d, bias=False)
    cc.ConvTranspose1d = functools.partial(cc.ConvTranspose1d, bias=False)
    blocks = importlib.import_module("rave.blocks")
    blocks.normalization = functools.partial(blocks.normalization, mode="weight_norm")
    sizes = {"data_size": 16, "capacity": 96, "ratios": [4, 4, 4, 2], "kernel_size": 3}
    sizes["dilations"] = [[1, 3, 9], [1, 3, 9], [1, 3, 9], [1, 3]]  # type: ignore[assignment]

    class Published(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pqmf = published_bank(checkout)
            self.encoder = blocks.VariationalEncoder(
                functools.partial(blocks.EncoderV2, latent_size=128, n_out=2, **sizes)
            )
            self.decoder = blocks.GeneratorV2(latent_size=128, amplitude_modulation=True, **sizes)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            mean = self.encoder(self.pqmf(x)).chunk(2, 1)[0]
            return self.pqmf.inverse(self.decoder(mean))

    return Published().eval()


class _Named(type):
    """Classes with classes for all names inside, of which others may be derived."""

    def __getattr__(cls, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Named(name, (torch.nn.Module,), {})


class _Nothing(types.ModuleType):
    """Stands for a package that is imported but not needed."""

    __path__: list[str] = []  # noqa: RUF012

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Named(name, (torch.nn.Module,), {})


def published_bank(checkout: str) -> torch.nn.Module:
    """The authors' filter bank; scipy has since renamed and dropped arguments that its design uses."""
    import scipy.signal

    from orchestrion.analysis.pqmf import prototype_filter

    for name in ("kaiser", "kaiser_beta"):
        if not hasattr(scipy.signal, name):
            setattr(scipy.signal, name, None)
    module = importlib.import_module("rave.pqmf")
    module.get_prototype = lambda attenuation, bands, N=None: prototype_filter(bands, attenuation, quirks="official")
    return module.CachedPQMF(100, 16)


def codecs(checkout: str | None, cached: str | None, seconds: float) -> dict[str, Callable[[], torch.Tensor]]:
    """Each way from sound to sound through all 128 latent dimensions."""
    from orchestrion.hub.official import rave as official
    from orchestrion.media.audio import Audio
    from orchestrion.systems.rave import RAVE

    torch.manual_seed(0)
    model = RAVE(**official.arguments({"gin file": "v2.gin"})).eval()
    x = 0.1 * torch.randn(1, 1, int(seconds * RATE_V2) // 2048 * 2048)
    audio = Audio(x[0].numpy(), RATE_V2)

    def ours() -> torch.Tensor:
        latents = model.encode(audio, latent_size=128)
        return torch.from_numpy(model.decode(latents).samples)[None]

    ways: dict[str, Callable[[], torch.Tensor]] = {}
    if checkout is not None and cached is not None:
        theirs = published(checkout, cached)
        state = theirs.state_dict()
        converted = official.convert(state)
        model.load_state_dict({k: v for k, v in converted.items() if k in model.state_dict()}, strict=False)
        ways["acids-rave"] = torch.inference_mode()(lambda: theirs(x))
    ways["orchestrion"] = ours
    return ways


def interleaved(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if number:  # the first round warms up
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(found) for name, found in times.items()}


def memory(what: str, given: argparse.Namespace) -> float:
    """MiB that a process of its own needs at most."""
    command = [sys.executable, __file__, *([given.checkout, given.cached] if given.checkout else []), "--alone", what]
    command += ["--seconds", str(given.seconds), "--threads", str(given.threads), "--block", str(given.block)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Prints the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("checkout", nargs="?")
    options.add_argument("cached", nargs="?")
    options.add_argument("--seconds", type=float, default=30.0)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--block", type=int, default=8)
    options.add_argument("--alone", help=argparse.SUPPRESS)
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    if given.alone:
        if given.alone == "stream":
            stream(given.seconds, given.block)()
        else:
            codecs(given.checkout, given.cached, given.seconds)[given.alone]()
        print(peak_memory())
        return
    seconds = interleaved({"stream": stream(given.seconds, given.block)}, given.rounds)["stream"]
    print(
        f"v1 decoder, {given.seconds:g} s at {RATE_V1} Hz in blocks of {given.block} frames, {given.threads} threads: "
        f"{seconds:.3f} s, {given.seconds / seconds:.1f} × real time, {memory('stream', given):.0f} MiB"
    )
    ways = codecs(given.checkout, given.cached, given.seconds)
    found = interleaved(ways, given.rounds)  # type: ignore[arg-type]
    first = next(iter(found.values()))
    sounds = {name: way() for name, way in ways.items()}
    reference = next(iter(sounds.values()))
    print(f"\nv2, encoding and decoding of {given.seconds:g} s at {RATE_V2} Hz\n")
    print("| code | seconds | ratio | peak memory, MiB | largest difference |\n|---|---|---|---|---|")
    for name, seconds in found.items():
        differs = float((sounds[name] - reference).abs().max() / reference.abs().max())
        held = memory(name, given)
        print(f"| {name} | {seconds:.2f} | {first / seconds:.2f} | {held:.0f} | {differs:.1e} |")


if __name__ == "__main__":
    main()
