"""A variational autoencoder of short music with a block of latents for each attribute (Music FaderNets, section 3.2),
and those that the paper compares it with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.errors import OptionError
from orchestrion.nn.gradient_reversal import reverse_gradient
from orchestrion.nn.mixture_prior import Gaussian, MixturePrior
from orchestrion.nn.segment_vae import EventDecoder, SequenceEncoder, SymbolDecoder

FAMILIES = ("gmvae", "vae", "glsr", "single", "single_gmvae", "cvae", "fader")
SPARE_CLASSES = 3  # of the published classifiers, whatever the number of rhythm symbols
_MIXTURE = ("gmvae", "single_gmvae")
_BLOCKS = ("gmvae", "vae", "glsr")  # two encoders, and sub-decoders


class FaderNetwork(nn.Module):
    """The network of one family.

    Args:
        family: "gmvae" (the paper's), "vae" (a standard normal prior), "glsr" (the same network, another regulariser),
            "single" (one encoder for both faders, after Pati & Lerch), "single_gmvae" (one encoder, no low-level
            modelling), "cvae" (densities given to encoder and decoder), "fader" (Fader Networks: densities given to
            the decoder, discriminators on the latent).
        events, rhythms, counts, keys: classes of events, rhythm symbols, note counts; length of the key vector.
        hidden, sub_hidden, latent: width of encoders and event decoder, of sub-decoders; dimensions of a block.
        components: of the mixture.
        prior_scale: standard deviation of a component.
        spare: build what the published classes have and never use, so that their checkpoints find a place.
        spare_keys: length of the key vector there; `keys` by default.

    Attributes:
        mixed: whether the prior is a mixture.
        two_blocks: whether there is a block of latents for each attribute; else one block for both.
        keyed: whether the event decoder is given the key.

    Raises:
        OptionError: there is no such family.
    """

    def __init__(
        self,
        *,
        family: str,
        events: int,
        rhythms: int,
        counts: int,
        keys: int,
        hidden: int,
        sub_hidden: int,
        latent: int,
        components: int,
        prior_scale: float,
        spare: bool,
        spare_keys: int | None = None,
    ) -> None:
        super().__init__()
        if family not in FAMILIES:
            raise OptionError(f"There is no family {family!r}; choose one of {', '.join(FAMILIES)}.")
        self.family, self.events, self.latent = family, events, latent
        self.mixed, self.two_blocks = family in _MIXTURE, family in _BLOCKS
        self.block_size = 2 * latent if family == "single" else latent
        blocks = 2 if self.two_blocks else 1
        self.keyed = self.two_blocks or family == "single"
        densities = 2 if family in ("cvae", "fader") else 0
        given = events + (densities if family == "cvae" else 0)
        self.encoders = nn.ModuleList(
            SequenceEncoder(inputs=given, hidden=hidden, latent=self.block_size) for _ in range(blocks)
        )
        if self.two_blocks:
            self.sub_decoders = nn.ModuleList(
                SymbolDecoder(symbols=symbols, latent=latent, hidden=sub_hidden) for symbols in (rhythms, counts)
            )
        total = blocks * self.block_size + (keys if self.keyed else 0) + densities
        self.decoder = EventDecoder(classes=events, latent=total, hidden=hidden)
        if self.mixed:
            self.priors = nn.ModuleList(
                MixturePrior(components=components, dim=latent, scale=prior_scale) for _ in range(blocks)
            )
        if family == "fader":
            self.discriminators = nn.ModuleList(nn.Linear(latent, 1) for _ in range(2))
            self.dropout = nn.Dropout(0.3)
        if spare:
            self.spare = _spare_modules(self, family, events, spare_keys or keys, hidden, latent)

    @property
    def mixtures(self) -> list[MixturePrior]:
        """The prior of each block, where it is a mixture."""
        return [prior for prior in self.priors if isinstance(prior, MixturePrior)]

    def encode(
        self, events: Int[Tensor, "batch time"], densities: Float[Tensor, "batch 2"] | None = None
    ) -> list[Gaussian]:
        """The Gaussian of each block; `densities` (rhythm, notes) are read by the family "cvae" alone."""
        more = densities if self.family == "cvae" else None
        return [encoder(events, more) for encoder in self.encoders]

    def gather(
        self,
        z: Sequence[Float[Tensor, "batch dim"]],
        key: Float[Tensor, "batch keys"] | None = None,
        densities: Float[Tensor, "batch 2"] | None = None,
    ) -> Float[Tensor, "batch total"]:
        """All that the event decoder is given at each step: blocks, then the key or the densities by family."""
        if self.keyed:
            assert key is not None
            return torch.cat([*z, key], 1)
        if self.family in ("cvae", "fader"):
            assert densities is not None
            return torch.cat([*z, densities], 1)
        return z[0]

    def faders(self, z: Sequence[Float[Tensor, "batch dim"]]) -> Float[Tensor, "batch 2"]:
        """The two numbers that are faders: the first of each block, or the first two of the only one."""
        return torch.stack([z[0][:, 0], z[1][:, 0]], 1) if self.two_blocks else z[0][:, :2]

    def component_logits(self, z: Sequence[Float[Tensor, "batch dim"]]) -> list[Float[Tensor, "batch components"]]:
        """Of each block, the log-weights of the components of its prior."""
        return [prior.component_logits(one) for prior, one in zip(self.mixtures, z, strict=True)]

    def discriminate(self, z: Float[Tensor, "batch latent"]) -> list[Float[Tensor, "batch 1"]]:
        """What two discriminators read of rhythm and note density in the latent; its gradient is turned round."""
        turned = reverse_gradient(z)
        return [self.dropout(functional.relu(one(turned))) for one in self.discriminators]


def _spare_modules(
    network: FaderNetwork, family: str, events: int, keys: int, hidden: int, latent: int
) -> nn.ModuleDict:
    """Modules of the published class that take no part: a chroma block, classifiers, a second first state."""
    spare: dict[str, nn.Module] = {}
    if family in ("gmvae", "vae", "glsr", "cvae", "fader"):
        spare |= {name: nn.Linear(latent, SPARE_CLASSES) for name in ("class_rhythm", "class_notes")}
    if network.two_blocks:
        spare |= {
            "chroma_encoder": SequenceEncoder(inputs=events, hidden=hidden, latent=latent),
            "chroma_gru": nn.GRU(latent + keys, hidden, batch_first=True),
            "chroma_start": nn.Linear(latent, hidden),
            "chroma_out": nn.Linear(latent, keys),
        }
    if family == "single_gmvae":
        spare["start"] = nn.Linear(latent, hidden)
    return nn.ModuleDict(spare)
