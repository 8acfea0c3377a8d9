"""Arousal transfer at the published size: our network against the authors' code, on the CPU.

    python benchmarks/fader_transfer.py --official FOLDER [--batches 1 8] [--steps 100] [--rounds 5]

FOLDER holds `gmm_model.py` of github.com/gudgud96/music-fader-nets. Both have the same weights, read the same segments,
move the latents by the difference of the means and decode greedily; runs are interleaved and the median of the rounds
counts. Untrained, at the published size, no EOS is written, so that both decode all the steps; trained, at the size of
the miniature, segments end earlier, where ours stops and theirs does not. The authors' calls of `.cuda()` are made to
do nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from orchestrion.data.corpus import load_corpus
from orchestrion.hub.official import music_fadernets as official
from orchestrion.systems.music_fadernets import MusicFaderNets
from orchestrion.systems.registry import load

EOS = 1


@dataclass(frozen=True)
class Case:
    """Two networks with the same weights, and segments."""

    theirs: Any
    ours: MusicFaderNets
    events: torch.Tensor
    key: torch.Tensor


SIZES = {name: value for name, value in official.SOURCE["arguments"].items() if name != "class"}


def published(**sizes: int) -> torch.nn.Module:
    """The authors' network."""
    from gmm_model import MusicAttrRegGMVAE  # type: ignore[import-not-found]

    return MusicAttrRegGMVAE(**sizes).eval()


def their_transfer(model: Any, events: torch.Tensor, key: torch.Tensor, steps: int) -> torch.Tensor:
    """Events after a whole step of arousal, as the published demonstration finds them."""
    classes = model.linear_out_g.out_features
    rhythm, notes = (one.mean for one in model.encode(torch.nn.functional.one_hot(events, classes).float()))
    rhythm = rhythm + model.mu_r_lookup.weight[1] - model.mu_r_lookup.weight[0]
    notes = notes + model.mu_n_lookup.weight[1] - model.mu_n_lookup.weight[0]
    return model.global_decoder(torch.cat([rhythm, notes, key], 1), steps=steps).argmax(-1)


def our_transfer(model: MusicFaderNets, events: torch.Tensor, key: torch.Tensor, steps: int) -> torch.Tensor:
    """The same."""
    z = model.move([one.mean for one in model.network.encode(events)], arousal=1.0)
    return model.network.decoder.roll_out(model.network.gather(z, key), steps=steps, end=EOS).ids


def untrained(batch: int) -> Case:
    """Both at the published size, with the same random weights and random events."""
    torch.manual_seed(0)
    theirs = published(**SIZES)
    ours = MusicFaderNets(**official.arguments(official.SOURCE["arguments"])).eval()
    ours.load_state_dict(official.convert(theirs.state_dict()))
    key = torch.zeros(batch, 24)
    key[:, 0] = 1
    return Case(theirs, ours, torch.randint(2, 278, (batch, 60)), key)


def trained(batch: int) -> Case:
    """The weights that ship in both, with segments of held-out tunes."""
    ours = load("music_fadernets")
    assert isinstance(ours, MusicFaderNets)
    network = ours.network
    sizes = {"roll_dims": network.events, "hidden_dims": network.decoder.first.hidden_size, "z_dims": network.latent}
    theirs = published(**{**SIZES, **sizes})
    state = ours.state_dict()
    # what takes no part in a transfer may have other sizes or be missing
    known = {key: state.get(official.rename(key)) for key in theirs.state_dict()}
    fitting = {key: known[key] for key, old in theirs.state_dict().items() if _same_shape(known[key], old)}
    theirs.load_state_dict(fitting, strict=False)
    held = ours.data(load_corpus("compact", split="test"), most=batch)
    given = next(held.all(batch))
    return Case(theirs, ours.eval(), given.events, given.key)


def _same_shape(one: torch.Tensor | None, other: torch.Tensor) -> bool:
    return one is not None and one.shape == other.shape


def main() -> None:
    """Times both and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--official", required=True)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    sys.path.insert(0, options.official)
    torch.Tensor.cuda = lambda self, *a, **k: self  # type: ignore[method-assign]
    print("| weights | batch | theirs, ms | ours, ms | ratio |\n|---|---|---|---|---|")
    for make in (untrained, trained):
        for batch in options.batches:
            case = make(batch)
            runs = {
                "theirs": partial(their_transfer, case.theirs, case.events, case.key, options.steps),
                "ours": partial(our_transfer, case.ours, case.events, case.key, options.steps),
            }
            times: dict[str, list[float]] = {name: [] for name in runs}
            with torch.inference_mode():
                same = up_to_end(runs["theirs"]()) == up_to_end(runs["ours"]())
                for _ in range(options.rounds):
                    for name, run in runs.items():
                        began = time.process_time()
                        run()
                        times[name].append(1000 * (time.process_time() - began))
            slow, fast = (statistics.median(times[name]) for name in runs)
            print(
                f"| {make.__name__} | {batch} | {slow:.1f} | {fast:.1f} | {slow / fast:.2f} |"
                + ("" if same else " (other events)")
            )


def up_to_end(ids: torch.Tensor) -> list[list[int]]:
    """Events of each segment up to its end."""
    return [row[: row.index(EOS)] if EOS in row else row for row in ids.tolist()]


if __name__ == "__main__":
    main()
