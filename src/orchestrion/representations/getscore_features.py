"""Where the embeddings of GETMusic's tokens may begin: groups that share tones are near each other.

Not in the paper, whose corpus is large enough to find this out.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from orchestrion.representations.getscore import DRUMS, ROOTS, GetVocabulary

CLASSES, HEIGHTS = 12, 6  # channels for pitch classes, and for how high a group lies
LOWEST, HIGHEST = 30, 90  # MIDI pitches between which the heights are spread
NOISE = 0.3


def musical_features(
    vocabulary: GetVocabulary, channels: int, rng: np.random.Generator
) -> Float[np.ndarray, "classes channels"]:
    """A vector of about unit length for each token, noise where nothing is known of it.

    Channels 0–11 are the pitch classes of a group or of the root of a chord, the next six say how high its middle lies.
    The pieces of the drum kit have random directions, and a group the sum of its pieces'.

    Args:
        channels: at least 18.

    Raises:
        ValueError: there are fewer channels.
    """
    if channels < CLASSES + HEIGHTS:
        raise ValueError(f"{channels} channels are too few for {CLASSES + HEIGHTS} features")
    features = rng.normal(size=(vocabulary.classes, channels)) / np.sqrt(channels)
    kit = rng.normal(size=(128, channels)) / np.sqrt(channels)
    centres = np.linspace(LOWEST, HIGHEST, HEIGHTS)
    for track, table in enumerate(vocabulary.groups):
        for group, token in table.items():
            pitches = np.array(group)
            if track == DRUMS:
                vector = kit[pitches].sum(0)
            else:
                vector = np.zeros(channels)
                vector[np.unique(pitches % 12)] = 1
                distance = (pitches.mean() - centres) / (centres[1] - centres[0])
                vector[CLASSES : CLASSES + HEIGHTS] = np.exp(-0.5 * distance**2)
            features[token] = vector / np.linalg.norm(vector) + NOISE * features[token]
    for root in range(len(ROOTS)):
        features[vocabulary.roots + root] *= NOISE
        features[vocabulary.roots + root, root] += 1
    return features
