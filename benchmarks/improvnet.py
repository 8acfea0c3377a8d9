"""Passes of ImprovNet at the published size against the library that its authors generate with.

    python benchmarks/improvnet.py [--context 1000] [--tokens 150] [--rounds 3] [--segments 36] [--passes 5]

The published code calls `EncoderDecoderModel.generate` of transformers for every segment that is written anew. Both
networks have the same random weights, read the same context and write the same number of tokens, the likeliest each
time; what they write is compared. Processor time of one thread, interleaved rounds, medians. Then ours refines a piece
of so many segments in several passes, every segment in each, where the published code writes one after another; between
its waves the library writes single segments. At last the miniature restyles a long piece of the corpus, one segment at
a time and side by side.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
import torch
from transformers import BertConfig, BertLMHeadModel, BertModel, EncoderDecoderModel

from orchestrion.data.corpus import load_corpus
from orchestrion.hub.official import improvnet as official
from orchestrion.paradigms.corruption_refinement import Request, refine
from orchestrion.representations.performance_tokens import Item, TimedNote
from orchestrion.systems import improvnet as systems_improvnet
from orchestrion.systems.improvnet import ImprovNet
from orchestrion.systems.registry import load

START, END, PAD = 1, 2, 0
BETWEEN = 8  # waves


def published() -> EncoderDecoderModel:
    """The authors' network with random weights."""
    sizes = official.SOURCE["arguments"]
    shared = {
        "vocab_size": sizes["vocab_size"],
        "hidden_size": sizes["hidden_size"],
        "num_attention_heads": sizes["num_heads"],
        "intermediate_size": sizes["intermediate_size"],
    }
    encoder = BertConfig(
        **shared,
        num_hidden_layers=sizes["encoder_num_layers"],
        max_position_embeddings=sizes["encoder_max_sequence_length"],
    )
    decoder = BertConfig(
        **shared,
        num_hidden_layers=sizes["decoder_num_layers"],
        max_position_embeddings=sizes["decoder_max_sequence_length"],
        is_decoder=True,
        add_cross_attention=True,
        tie_word_embeddings=False,
    )
    model = EncoderDecoderModel(encoder=BertModel(encoder), decoder=BertLMHeadModel(decoder)).eval()
    model.generation_config.decoder_start_token_id, model.generation_config.eos_token_id = START, END
    model.generation_config.pad_token_id = PAD
    return model


def theirs(model: EncoderDecoderModel, given: torch.Tensor, tokens: int) -> list[int]:
    """What the library writes."""
    made = model.generate(
        given, attention_mask=torch.ones_like(given), do_sample=False, min_new_tokens=tokens, max_new_tokens=tokens
    )
    return made[0].tolist()


def ours(model: ImprovNet, given: torch.Tensor, tokens: int) -> list[int]:
    """What our network writes with its caches."""
    return ours_at_once(model, given, tokens)[0]


def ours_at_once(model: ImprovNet, given: torch.Tensor, tokens: int) -> list[list[int]]:
    """The same for several contexts side by side."""
    decoder = model.network.decoder
    caches = decoder.start(model.network.encoder(given), capacity=tokens)
    made = torch.full((len(given), 1), START)
    for _ in range(tokens):
        logits = decoder.step(made[:, -1:], caches)
        logits[:, END] = -torch.inf  # as `min_new_tokens` has it
        made = torch.cat([made, logits.argmax(-1, keepdim=True)], 1)
    return made.tolist()


def passes(model: ImprovNet, given: argparse.Namespace, other: Callable[[], Any]) -> tuple[float, float, list[int]]:
    """Seconds for all passes over a piece, seconds of a segment by the `other`, which is called now and then between
    them, and how many segments were written at once."""
    rng, sizes, others = np.random.default_rng(1), [], []

    def write(requests: Sequence[Request]) -> list[list[Item]]:
        if len(sizes) % BETWEEN == 0:
            started = time.process_time()
            other()
            others.append(time.process_time() - started)
        sizes.append(len(requests))
        contexts = torch.from_numpy(rng.integers(3, 2300, (len(requests), given.context)))
        ours_at_once(model, contexts, given.tokens)
        return [one.old for one in requests]

    note = TimedNote(60, 75, 0, 500)
    began = time.process_time()
    refine(
        [[note]] * given.segments, write, corruptions=["skyline"] * given.passes, rate=1.0, genre="jazz",
        chance=lambda number, place: random.Random(place),
    )  # fmt: skip
    return time.process_time() - began - sum(others), statistics.median(others), sizes


def miniature(given: argparse.Namespace) -> None:
    """Prints the times of `restyle` for the longest of some held-out pieces."""
    model = load("improvnet")
    assert isinstance(model, ImprovNet)
    score: Any = max(
        (piece.score for piece in load_corpus("compact", split="test", limit=200)), key=lambda one: one.end()
    )
    for strength in (0.6, 1.0):
        times, made = [], []
        for most in (1, 16):
            with mock.patch.object(systems_improvnet, "refine", partial(refine, most=most)):
                began = time.process_time()
                (music,) = model.restyle(score, genre="jazz", strength=strength, passes=given.passes)
                times.append(time.process_time() - began)
                made.append(music.score)
        print(
            f"the miniature, {given.passes} passes over {music.report['segments']} segments at rate {strength:g}: "
            f"{times[0]:.1f} s one by one, {times[1]:.1f} s side by side, {times[0] / times[1]:.2f}x"
            + ("" if made[0] == made[1] else " (other notes)")
        )


def main() -> None:
    """Prints both times and their ratio."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--context", type=int, default=1000)
    options.add_argument("--tokens", type=int, default=150)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--segments", type=int, default=36)
    options.add_argument("--passes", type=int, default=5)
    given = options.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    slow = published()
    fast = ImprovNet(**official.arguments(official.SOURCE["arguments"])).eval()
    fast.load_state_dict(official.convert(slow.state_dict()))
    context = torch.from_numpy(np.random.default_rng(0).integers(3, 2300, (1, given.context)))
    times: dict[str, list[float]] = {"transformers": [], "orchestrion": []}
    written: dict[str, list[int]] = {}
    with torch.inference_mode():
        for number in range(given.rounds + 1):
            for name, run in (("transformers", lambda: theirs(slow, context, given.tokens)),
                              ("orchestrion", lambda: ours(fast, context, given.tokens))):  # fmt: skip
                began = time.process_time()
                written[name] = run()
                if number:  # the first round warms up
                    times[name].append(time.process_time() - began)
    same = sum(a == b for a, b in zip(*written.values(), strict=True))
    print(f"{same} of {given.tokens + 1} tokens are the same")
    medians = {name: statistics.median(found) for name, found in times.items()}
    for name, seconds in medians.items():
        print(f"{name}: {seconds:.2f} s, {medians['transformers'] / seconds:.2f}x")
    with torch.inference_mode():
        seconds, other, sizes = passes(fast, given, lambda: theirs(slow, context, given.tokens))
    each = seconds / sum(sizes)
    print(
        f"{given.passes} passes over {given.segments} segments, {sum(sizes) / len(sizes):.1f} at once: "
        f"{seconds:.1f} s, {each:.2f} s a segment against {other:.2f} s, {other / each:.2f}x"
    )
    miniature(given)


if __name__ == "__main__":
    main()
