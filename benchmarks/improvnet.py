"""One segment of a pass of ImprovNet at the published size against the library that its authors generate with.

    python benchmarks/improvnet.py [--context 1000] [--tokens 150] [--rounds 3]

The published code calls `EncoderDecoderModel.generate` of transformers for every segment that is written anew. Both
networks have the same random weights, read the same context and write the same number of tokens, the likeliest each
time; what they write is compared. Processor time of one thread, interleaved rounds, medians.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
from transformers import BertConfig, BertLMHeadModel, BertModel, EncoderDecoderModel

from orchestrion.hub.official import improvnet as official
from orchestrion.systems.improvnet import ImprovNet

START, END, PAD = 1, 2, 0


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
    decoder = model.network.decoder
    caches = decoder.start(model.network.encoder(given), capacity=tokens)
    made = [START]
    for _ in range(tokens):
        logits = decoder.step(torch.tensor([[made[-1]]]), caches)[0]
        logits[END] = -torch.inf  # as `min_new_tokens` has it
        made.append(int(logits.argmax()))
    return made


def main() -> None:
    """Prints both times and their ratio."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--context", type=int, default=1000)
    options.add_argument("--tokens", type=int, default=150)
    options.add_argument("--rounds", type=int, default=3)
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


if __name__ == "__main__":
    main()
