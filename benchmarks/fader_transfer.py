"""Arousal transfer at the published size: our network against the authors' code, on the CPU.

    python benchmarks/fader_transfer.py --official FOLDER [--batches 1 8] [--steps 100] [--rounds 5]

FOLDER holds `gmm_model.py` of github.com/gudgud96/music-fader-nets. Both have the same random weights, read the same
segments, move the latents by the difference of the means and decode greedily; runs are interleaved and the median of
the rounds counts. With random weights no EOS is written, so that both decode all the steps; a trained network ends
earlier, where ours stops and theirs does not. The authors' calls of `.cuda()` are made to do nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import torch

from orchestrion.hub.official import music_fadernets as official
from orchestrion.systems.music_fadernets import MusicFaderNets


def main() -> None:
    """Times both and prints a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--official", required=True)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    sys.path.insert(0, options.official)
    torch.Tensor.cuda = lambda self, *a, **k: self  # type: ignore[method-assign]
    from gmm_model import MusicAttrRegGMVAE  # type: ignore[import-not-found]

    sizes = {name: value for name, value in official.SOURCE["arguments"].items() if name != "class"}
    torch.manual_seed(0)
    theirs = MusicAttrRegGMVAE(**sizes).eval()
    ours = MusicFaderNets(**official.arguments(official.SOURCE["arguments"])).eval()
    ours.load_state_dict(official.convert(theirs.state_dict()))
    print("| batch | theirs, ms | ours, ms | ratio |\n|---|---|---|---|")
    for batch in options.batches:
        events = torch.randint(2, 278, (batch, 60))
        key = torch.zeros(batch, 24)
        key[:, 0] = 1
        onehot = torch.nn.functional.one_hot(events, 342).float()

        def their_transfer(onehot: torch.Tensor = onehot, key: torch.Tensor = key) -> torch.Tensor:
            rhythm, notes = (one.mean for one in theirs.encode(onehot))
            rhythm = rhythm + theirs.mu_r_lookup.weight[1] - theirs.mu_r_lookup.weight[0]
            notes = notes + theirs.mu_n_lookup.weight[1] - theirs.mu_n_lookup.weight[0]
            return theirs.global_decoder(torch.cat([rhythm, notes, key], 1), steps=options.steps).argmax(-1)

        def our_transfer(events: torch.Tensor = events, key: torch.Tensor = key) -> torch.Tensor:
            z = ours.move([one.mean for one in ours.network.encode(events)], arousal=1.0)
            given = ours.network.gather(z, key)
            return ours.network.decoder.roll_out(given, steps=options.steps, end=1).ids

        times: dict[str, list[float]] = {"theirs": [], "ours": []}
        with torch.inference_mode():
            same = bool((their_transfer() == our_transfer()).all())
            for _ in range(options.rounds):
                for name, run in (("theirs", their_transfer), ("ours", our_transfer)):
                    began = time.process_time()
                    run()
                    times[name].append(1000 * (time.process_time() - began))
        slow, fast = (statistics.median(times[name]) for name in ("theirs", "ours"))
        print(f"| {batch} | {slow:.1f} | {fast:.1f} | {slow / fast:.2f} |" + ("" if same else " (other events)"))


if __name__ == "__main__":
    main()
