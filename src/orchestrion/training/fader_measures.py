"""What is measured of a fader network on whole data, and what is set from it when training ends."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from orchestrion.nn.fader_network import FaderNetwork
from orchestrion.training.fader_segments import FaderData

ENDS = (0.005, 0.995)  # of a fader: one segment in two hundred lies beyond each


@torch.no_grad()
def measured(network: FaderNetwork, data: FaderData) -> dict[str, float]:
    """Share of events that are told rightly given those before, order of the faders, and, with a mixture, share of
    segments whose arousal is told rightly by each block and by all together."""
    right, seen, faders, densities, classes = 0, 0, [], [], []
    for batch in data.all():
        latents = network.encode(batch.events, batch.densities)
        z = [one.mean for one in latents]
        logits = network.decoder(batch.events, network.gather(z, batch.key, batch.densities))
        counted = batch.events > 0
        right += int((logits.argmax(-1) == batch.events)[counted].sum())
        seen += int(counted.sum())
        faders.append(network.faders(z))
        densities.append(batch.densities)
        if network.mixed:
            logits = torch.stack(network.component_logits(z))
            classes.append(torch.cat([logits, logits.sum(0, keepdim=True)]).argmax(-1) == batch.truth)
    found = {"events right": right / max(seen, 1)}
    for column, name in enumerate(("rhythm", "notes")):
        x, y = torch.cat(faders)[:, column], torch.cat(densities)[:, column]
        if len(x) > 2:
            found[f"correlation, {name}"] = float(torch.corrcoef(torch.stack([x, y]))[0, 1].nan_to_num())
    if classes:
        *blocks, together = torch.cat(classes, 1).float().mean(1).tolist()
        found["arousal right"] = together
        found |= {f"arousal right, block {n}": value for n, value in enumerate(blocks, 1)}
    return found


@torch.no_grad()
def settle_prior(network: FaderNetwork, data: FaderData) -> None:
    """Sets the means of the components to where the labelled divergence is least: at the means of labelled latents.

    Steps of the optimiser leave them elsewhere, as the loss of labels needs their direction alone: arousal would move
    by a twentieth of what lies between calm and excited music.
    """
    latents = [(network.encode(batch.events, batch.densities), batch.labels) for batch in data.labelled()]
    labels = torch.cat([told for _, told in latents if told is not None])
    for block, prior in enumerate(network.mixtures):
        means = torch.cat([held[block].mean for held, _ in latents])
        for component in range(len(prior.mean)):
            if (chosen := labels == component).any():
                prior.mean[component] = means[chosen].mean(0)


@torch.no_grad()
def fader_ends(network: FaderNetwork, data: FaderData) -> Float[Tensor, "faders 2"]:
    """The ends of each fader, between which all but one segment in a hundred lie."""
    means = [network.encode(batch.events, batch.densities) for batch in data.all()]
    found = torch.cat([network.faders([one.mean for one in latents]) for latents in means])
    return torch.quantile(found.float(), torch.tensor(ENDS, device=found.device), dim=0).T
