"""Shapes and types that signatures promise are checked while the tests run."""

import os
import sys

import pytest
from jaxtyping import install_import_hook

from orchestrion.media.soundfont import shipped_soundfont

# Test processes beside one another would each start as many threads as there are cores, and wait for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A SoundFont of the machine would sound otherwise than the one that everybody has.
os.environ["ORCHESTRION_SOUNDFONT"] = str(shipped_soundfont())

# The floors whose functions take tensors; elsewhere annotations name types that are imported for type checkers only.
install_import_hook(
    [
        "orchestrion.nn",
        "orchestrion.paradigms",
        "orchestrion.systems.midicaps",
        "orchestrion.systems.getmusic",
        "orchestrion.systems.theme_transformer",
        "orchestrion.systems.clmr",
        "orchestrion.systems.music_fadernets",
        "orchestrion.systems.word2vec_music",
        "orchestrion.analysis.spectra",
        "orchestrion.analysis.chromagram",
        "orchestrion.codecs.mel_vae",
        "orchestrion.codecs.vocoders",
        "orchestrion.codecs.griffin_lim",
        "orchestrion.data.augment.beat_mixup",
        "orchestrion.representations.latent_masks",
        "orchestrion.representations.phrase_batches",
    ],
    "beartype.beartype",
)


@pytest.fixture(autouse=True)
def _gradients_stay_on():
    """No test may leave gradients off for those that follow: a generator that is left half way can."""
    yield
    torch = sys.modules.get("torch")
    assert torch is None or torch.is_grad_enabled()
