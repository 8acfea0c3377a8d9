"""Sampling token by token: our loop against `generate` of transformers with a model of the same sizes.

    python benchmarks/decoding.py [--tokens 256] [--rounds 5] [--batches 1 8] [--threads 1] [--clock wall] [--grammar]

Both have a decoder with attention to encoded text (ours: the network of the `mini` preset of midicaps; theirs: BART's),
the same layers, width, heads, feed-forward size and classes, the same encoded text, caches for keys and values, and
draw at temperature 1 until `--tokens` are written. Runs are interleaved and the median of the rounds counts.
`--grammar` adds our loop under the grammar of arrangements, which transformers has no counterpart for.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

WORDS = 40  # of encoded text


def our_network(sizes: dict[str, int]) -> torch.nn.Module:
    """The decoder of midicaps."""
    from orchestrion.nn.text2midi_network import Text2MidiNetwork

    return Text2MidiNetwork(
        vocabulary_size=sizes["classes"],
        width=sizes["width"],
        num_layers=sizes["layers"],
        num_heads=sizes["heads"],
        feed_forward=sizes["feed_forward"],
        max_length=sizes["length"],
        activation="gelu",
        norm_first=True,
        bias=True,
        positions="rotary",
    ).eval()


@torch.inference_mode()
def our_loop(network: torch.nn.Module, memory: torch.Tensor, tokens: int, grammars: Callable | None = None) -> list:
    """Samples `tokens` tokens a row."""
    from orchestrion.nn.cache import keep_rows
    from orchestrion.paradigms.autoregressive import sample

    batch = len(memory)
    caches = network.decoder.start(memory, capacity=tokens + 1)
    return sample(
        lambda newest: network.step(newest, caches),
        start=torch.ones(batch, 1, dtype=torch.long),
        generators=[torch.Generator().manual_seed(row) for row in range(batch)],
        max_steps=tokens,
        grammars=grammars(batch) if grammars is not None else None,
        drop=lambda rows: keep_rows(caches, rows),
    )


def their_network(sizes: dict[str, int]) -> torch.nn.Module:
    """BART's decoder; its encoder has one layer and is never run."""
    from transformers import BartConfig, BartForConditionalGeneration

    config = BartConfig(
        vocab_size=sizes["classes"],
        d_model=sizes["width"],
        decoder_layers=sizes["layers"],
        decoder_attention_heads=sizes["heads"],
        decoder_ffn_dim=sizes["feed_forward"],
        encoder_layers=1,
        encoder_attention_heads=sizes["heads"],
        encoder_ffn_dim=sizes["feed_forward"],
        max_position_embeddings=sizes["length"],
        forced_eos_token_id=None,
        decoder_start_token_id=1,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    return BartForConditionalGeneration(config).eval()


@torch.inference_mode()
def their_loop(network, memory: torch.Tensor, tokens: int) -> list:
    """Samples `tokens` tokens a row."""
    from transformers.modeling_outputs import BaseModelOutput

    written = network.generate(
        encoder_outputs=BaseModelOutput(last_hidden_state=memory),
        do_sample=True,
        top_k=0,
        num_beams=1,
        use_cache=True,
        max_new_tokens=tokens,
        min_new_tokens=tokens,
    )
    return written[:, 1:].tolist()


def arrangement_grammars(batch: int) -> list:
    """Grammars of sixteen bars for four parts."""
    from orchestrion.representations.arrangement import ArrangementVocabulary
    from orchestrion.representations.arrangement_grammar import ArrangementGrammar, Plan

    parts = (("melody", None), ("chords", None), ("bass", None), ("drums", None))
    vocabulary = ArrangementVocabulary(("folk", "jazz"))
    return [ArrangementGrammar(vocabulary, Plan(parts=parts, bars=16)) for _ in range(batch)]


def main() -> None:
    """Prints the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tokens", type=int, default=256)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: where other programs run too")
    options.add_argument("--grammar", action="store_true")
    given = options.parse_args()
    clock = time.perf_counter if given.clock == "wall" else time.process_time
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)

    from orchestrion.representations.arrangement import ArrangementVocabulary

    classes = len(ArrangementVocabulary(("folk", "jazz")))
    sizes = {"width": 224, "layers": 6, "heads": 7, "feed_forward": 896, "classes": classes, "length": 2304}
    ours, theirs = our_network(sizes), their_network(sizes)
    ways = {
        "transformers": lambda memory: their_loop(theirs, memory, given.tokens),
        "orchestrion": lambda memory: our_loop(ours, memory, given.tokens),
    }
    if given.grammar:
        ways["orchestrion, grammar"] = lambda memory: our_loop(ours, memory, given.tokens, arrangement_grammars)
    print(f"| batch | loop | tokens/s (median of {given.rounds}) | ratio |\n|---|---|---|---|")
    for batch in given.batches:
        memory = torch.randn(batch, WORDS, sizes["width"])
        speeds: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(given.rounds + 1):
            for name, run in ways.items():
                start = clock()
                written = run(memory)
                seconds = clock() - start
                if number:  # the first round warms up
                    speeds[name].append(sum(map(len, written)) / seconds)
        base = statistics.median(speeds["transformers"])
        for name, found in speeds.items():
            print(f"| {batch} | {name} | {statistics.median(found):.0f} | {statistics.median(found) / base:.2f} |")


if __name__ == "__main__":
    main()
