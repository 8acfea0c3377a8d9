"""The genre tagger: it learns, is kept whole on disk, and the bundled one hears what it should."""

import numpy as np
import pytest
import torch

from orchestrion.analysis.symbolic import features
from orchestrion.analysis.symbolic_vector import VECTOR_NAMES
from orchestrion.data.corpus import load_corpus
from orchestrion.errors import WeightsError
from orchestrion.systems.symbolic_tagger import WEIGHTS, SymbolicTagger, accuracy, train


@pytest.fixture(scope="module")
def tagger():
    return SymbolicTagger.load()


def test_it_learns_what_can_be_learnt_and_not_what_cannot():
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(1400, len(VECTOR_NAMES), generator=generator)
    labels = (vectors[:, 3] + vectors[:, 7] > 0).long()
    learnt = train(vectors[:1200], labels[:1200], ["a", "b"], steps=200)
    assert accuracy(learnt, vectors[1200:], labels[1200:])[0] > 0.8
    shuffled = train(vectors[:1200], labels[torch.randperm(1200, generator=generator)], ["a", "b"], steps=200)
    assert accuracy(shuffled, vectors[1200:], labels[1200:])[0] < 0.62
    again = train(vectors[:1200], labels[:1200], ["a", "b"], steps=200)
    torch.testing.assert_close(again(vectors[:5]), learnt(vectors[:5]))


def test_the_bundled_tagger_names_the_genre_of_held_out_tunes(tagger):
    pieces = load_corpus("compact", split="test")
    right = two = 0
    chosen = [pieces[i] for i in range(0, len(pieces), max(1, len(pieces) // 60))]
    for piece in chosen:
        names, probabilities = tagger.tag(piece.score, features(piece.score, chord_frame=None))
        assert 1 <= len(names) <= 2
        assert sorted(probabilities, reverse=True) == probabilities
        assert all(0.05 < p <= 1 for p in probabilities)
        right += names[0] == piece.genre
        two += piece.genre in names
    assert right >= 0.9 * len(chosen)
    assert two >= right
    assert WEIGHTS.stat().st_size < 1_000_000


def test_it_is_saved_and_loaded_whole(tmp_path, tagger):
    path = tmp_path / "tagger.safetensors"
    tagger.save(path, {"note": "copy"})
    copy = SymbolicTagger.load(path)
    vectors = torch.randn(4, len(VECTOR_NAMES))
    torch.testing.assert_close(copy(vectors), tagger(vectors))
    assert copy.genres == tagger.genres


def test_bad_weights_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="train them again"):
        SymbolicTagger.load(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(np.random.default_rng(0).bytes(200))
    with pytest.raises(WeightsError):
        SymbolicTagger.load(tmp_path / "bad.safetensors")
