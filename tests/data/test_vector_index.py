"""The index on disk without any network: groups, updates, removals, and folders that change."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrion.data import vector_index
from orchestrion.data.folder_changes import FolderState
from orchestrion.data.vector_index import Row, Space, VectorIndex
from orchestrion.errors import OptionError

pytest.importorskip("lancedb")


def rows(vectors, first=0):
    return [Row(f"it's/{first + i}.wav", i, 2 * i, f"h{i}", 1.5, vector) for i, vector in enumerate(vectors)]


@pytest.fixture
def held(tmp_path):
    index = VectorIndex(tmp_path / "index", root=tmp_path)
    index.begin(Space("ear", "ear:1", 8, text=False))
    return index


def nearest(vectors, query, n):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.argsort(-(unit @ query) / np.linalg.norm(query), kind="stable")[:n].tolist()


def test_exact_search_rows_and_removal(held):
    vectors = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    held.put("ear", rows(vectors))
    query = np.random.default_rng(1).normal(size=8)
    hits = held.search("ear", query, n=5)
    assert [int(hit.path.stem) for hit in hits] == nearest(vectors, query, 5)
    assert hits[0].path == held.root / "it's" / f"{hits[0].path.stem}.wav"
    best = vectors[int(hits[0].path.stem)]
    cosine = best @ query / np.linalg.norm(best) / np.linalg.norm(query)
    assert hits[0].similarity == pytest.approx(cosine, abs=1e-5)
    assert held.rows("ear", ["it's/3.wav"])["it's/3.wav"].vector == pytest.approx(vectors[3])
    assert held.rows("ear", []) == {}
    held.remove("ear", [f"it's/{i}.wav" for i in range(40)])
    assert held.count("ear") == 10
    held.put("ear", rows(-vectors[49:], first=49))  # the same path: in its place
    assert held.count("ear") == 10
    assert held.rows("ear", ["it's/49.wav"])["it's/49.wav"].vector == pytest.approx(-vectors[49])
    again = VectorIndex(held.folder)
    assert sorted(again.states("ear")) == sorted(held.states("ear"))
    assert len(list(again.states("ear"))) == 10


def test_groups_find_the_nearest_and_take_more(held, monkeypatch):
    monkeypatch.setattr(vector_index, "MANY", 300)
    vectors = np.random.default_rng(0).normal(size=(600, 8)).astype(np.float32)
    held.put("ear", rows(vectors[:400]))
    held.settle("ear")
    assert held.space("ear").grouped == 400
    held.put("ear", rows(vectors[400:], first=400))
    held.settle("ear")
    assert held.space("ear").grouped == 400  # not four times as many yet
    found = 0
    for query in np.random.default_rng(1).normal(size=(20, 8)):
        hits = {int(hit.path.stem) for hit in VectorIndex(held.folder).search("ear", query, n=10)}
        found += len(hits & set(nearest(vectors, query, 10)))
    assert found / 200 > 0.9
    few = [int(hit.path.stem) for hit in held.search("ear", vectors[0], n=10, probes=1)]
    assert few[0] == 0


def test_vectors_that_do_not_fit(held):
    with pytest.raises(OptionError, match="8"):
        held.put("ear", rows(np.ones((1, 5), np.float32)))
    for bad in (np.ones(5), np.zeros(8), np.full(8, np.nan)):
        with pytest.raises(OptionError):
            held.search("ear", bad)
    with pytest.raises(OptionError, match="holds ear, not eye"):
        held.count("eye")
    with pytest.raises(OptionError, match="cannot be compared"):
        held.begin(Space("ear", "ear:2", 8, text=False))
    held.begin(Space("eye", "eye:1", 3, text=True))
    assert set(VectorIndex(held.folder).spaces) == {"ear", "eye"}


def test_folder_changes(tmp_path):
    for name in ("a.wav", "b.WAV", "c.txt", ".hidden.wav"):
        (tmp_path / name).write_text(name)
    for folder in ("deep", ".git", "index"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "d.wav").write_text("d")
    (tmp_path / "lost.wav").symlink_to(tmp_path / "nowhere")
    (tmp_path / "deep" / "round").symlink_to(tmp_path)

    def changes(state):
        return list(state.changes(tmp_path, [".wav"], leave_out=tmp_path / "index"))

    first = changes(FolderState([]))
    assert [one.path for one in first] == ["a.wav", "b.WAV", "deep/d.wav"]
    assert not any(one.known for one in first)
    known = [(one.path, one.changed, one.size) for one in first]
    state = FolderState([*known, ("gone.wav", 1, 1)])
    assert changes(state) == []
    assert state.any_gone and state.is_gone("gone.wav") and not state.is_gone("a.wav")
    (tmp_path / "a.wav").write_text("longer")
    changed = changes(FolderState(known))
    assert [(one.path, one.known) for one in changed] == [("a.wav", True)]
