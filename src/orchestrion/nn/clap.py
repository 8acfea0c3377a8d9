"""Sound and text in one space: LAION's CLAP (Wu et al. 2023, arXiv 2211.06687) by way of transformers, and a small pair
of towers of our own that is trained with its system."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.analysis.spectra import clap_mel, clap_waveform
from orchestrion.media.audio import Audio
from orchestrion.nn.text import fetch_tokenizer
from orchestrion.representations.words import PAD, WordVocabulary

LONGEST = 160  # words of a text that are read by the small towers


class Clap(nn.Module):
    """HTSAT and RoBERTa with projections into one space, frozen. The tokenizer is fetched on first use.

    Args:
        dim: of the space.
        audio_width: channels of the first stage of HTSAT; 128 is "base", 96 "tiny".
        depths, heads: of its stages.
        fusion: whether long sound is fused from several windows.
        text_width, text_layers, text_heads: of RoBERTa.
        tokenizer: name of its tokenizer.
    """

    def __init__(
        self,
        *,
        dim: int = 512,
        audio_width: int = 128,
        depths: Sequence[int] = (2, 2, 12, 2),
        heads: Sequence[int] = (4, 8, 16, 32),
        fusion: bool = False,
        text_width: int = 768,
        text_layers: int = 12,
        text_heads: int = 12,
        tokenizer: str = "roberta-base",
    ) -> None:
        super().__init__()
        from transformers import ClapConfig, ClapModel

        audio = {
            "patch_embeds_hidden_size": audio_width,
            "hidden_size": audio_width * 2 ** (len(depths) - 1),
            "depths": list(depths),
            "num_hidden_layers": len(depths),
            "num_attention_heads": list(heads),
            "projection_dim": dim,
            "enable_fusion": fusion,
        }
        text = {
            "hidden_size": text_width,
            "num_hidden_layers": text_layers,
            "num_attention_heads": text_heads,
            "intermediate_size": 4 * text_width,
            "projection_dim": dim,
        }
        self.dim, self.tokenizer_name = dim, tokenizer
        self.model = ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=dim))
        self.model.requires_grad_(False)
        self.mel = clap_mel(fusion=fusion)
        self._tokenizer = None

    def train(self, mode: bool = True) -> Clap:
        """Stays in evaluation mode: it is frozen."""
        return super().train(False)

    @torch.no_grad()
    def embed_text(self, texts: Sequence[str]) -> Float[Tensor, "batch dim"]:
        """Unit vectors of sentences.

        Raises:
            WeightsError: the tokenizer is not on this machine and cannot be fetched.
        """
        if self._tokenizer is None:
            self._tokenizer = fetch_tokenizer(self.tokenizer_name)
        device = next(self.model.parameters()).device
        held = self._tokenizer(list(texts), return_tensors="pt", padding=True, truncation=True, max_length=512)
        return self.embed_tokens(held.input_ids.to(device), held.attention_mask.to(device))

    @torch.no_grad()
    def embed_tokens(self, tokens: Tensor, mask: Tensor) -> Float[Tensor, "batch dim"]:
        """Unit vectors of tokenised sentences; `mask` is 1 where a token is real."""
        found = self.model.text_model(input_ids=tokens, attention_mask=mask)
        return functional.normalize(self.model.text_projection(found.pooler_output), dim=-1)

    @torch.no_grad()
    def embed_audio(self, waveform: Float[Tensor, "batch samples"], rate: int) -> Float[Tensor, "batch dim"]:
        """Unit vectors of sounds; of those longer than ten seconds the beginning is heard."""
        if rate != self.mel.sample_rate:
            resampled = Audio(waveform.detach().cpu().float().numpy(), rate).resample(self.mel.sample_rate)
            waveform = torch.from_numpy(resampled.samples).to(waveform.device)
        mel = self.mel(clap_waveform(waveform)).mT[:, None]
        longer = torch.zeros(len(mel), 1, dtype=torch.bool, device=mel.device)
        found = self.model.audio_model(input_features=mel, is_longer=longer)
        return functional.normalize(self.model.audio_projection(found.pooler_output), dim=-1)


class SmallClap(nn.Module):
    """Two small towers into one space: convolutions over a log-mel picture, and the mean of word vectors.

    Args:
        words: the vocabulary, without padding and unknown.
        dim: of the space.
        width: channels of the first convolution; doubled by each of the next two.
        n_mels: bands of the picture.
        text_width: of the word vectors.
    """

    def __init__(
        self, words: Sequence[str], *, dim: int = 64, width: int = 32, n_mels: int = 64, text_width: int = 128
    ) -> None:
        super().__init__()
        self.dim = dim
        self.vocabulary = WordVocabulary(words)
        parts: list[nn.Module] = []
        count = 1
        for out, stride in ((width, (2, 2)), (2 * width, (2, 2)), (4 * width, (2, 2)), (4 * width, (2, 1))):
            parts += [nn.Conv2d(count, out, 3, stride, 1), nn.GroupNorm(8, out), nn.SiLU()]
            count = out
        self.listen = nn.Sequential(*parts)
        self.from_sound = nn.Sequential(
            nn.Linear(2 * count * (n_mels // 8), 2 * dim), nn.SiLU(), nn.Linear(2 * dim, dim)
        )
        self.words = nn.Embedding(len(self.vocabulary), text_width, padding_idx=PAD)
        self.from_text = nn.Sequential(
            nn.LayerNorm(text_width), nn.Linear(text_width, 2 * dim), nn.SiLU(), nn.Linear(2 * dim, dim)
        )
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    @property
    def scale(self) -> Float[Tensor, ""]:
        """What cosines are multiplied with in training; at most 100."""
        return self.log_scale.exp().clamp(max=100.0)

    def embed_text(self, texts: Sequence[str]) -> Float[Tensor, "batch dim"]:
        """Unit vectors of sentences; a text without words has one of its own."""
        rows = [self.vocabulary.encode(text, at_most=LONGEST) for text in texts]
        ids = torch.full((len(rows), max(map(len, rows))), PAD, device=self.words.weight.device)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = torch.tensor(row)
        real = (ids != PAD).float()[..., None]
        mean = (self.words(ids) * real).sum(1) / real.sum(1)
        return functional.normalize(self.from_text(mean), dim=-1)

    def embed_mel(self, mel: Float[Tensor, "batch 1 frames n_mels"]) -> Float[Tensor, "batch dim"]:
        """Unit vectors of log-mel pictures of any length: mean and greatest value over time of each band are kept."""
        found = self.listen(mel / 4 + 1)  # of about −11 to 1, a few units around 0
        pooled = torch.cat([found.mean(2), found.amax(2)], 1).flatten(1)
        return functional.normalize(self.from_sound(pooled), dim=-1)
