"""A CLAP of a few thousand random weights in the layout of the hub, so that tests embed sounds and texts offline."""

from __future__ import annotations

import json
from pathlib import Path

import torch


def write_tiny_clap(folder: Path, *, seed: int = 0) -> Path:
    """Writes config, weights, feature extractor and byte-level tokenizer into the folder."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, ClapProcessor, RobertaTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    words = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *sorted(ByteLevel.alphabet())]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    text = {
        "vocab_size": len(words),
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "max_position_embeddings": 100,
    }
    sound = {
        "patch_embeds_hidden_size": 8,
        "depths": [1, 1],
        "num_attention_heads": [1, 2],
        "hidden_size": 16,
        "num_mel_bins": 64,
        "spec_size": 256,
        "window_size": 8,
        "enable_fusion": False,
    }
    torch.manual_seed(seed)
    config = ClapConfig(text_config=text, audio_config=sound, projection_dim=16)
    ClapModel(config).eval().save_pretrained(folder)
    tokenizer = RobertaTokenizerFast(str(folder / "vocab.json"), str(folder / "merges.txt"))
    ClapProcessor(ClapFeatureExtractor(truncation="rand_trunc"), tokenizer).save_pretrained(folder)
    return folder
