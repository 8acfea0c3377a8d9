"""Train, validation and test by tune: versions of one tune, and tunes that are nearly the same, stay together."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

from orchestrion.data.factory.sources import Tune

GRAM = 16  # notes of a run that two tunes may share only inside one split


def interval_runs(pitches: Sequence[int], length: int = GRAM) -> set[tuple[int, ...]]:
    """All runs of `length` notes as intervals, so that transposition does not matter."""
    steps = [b - a for a, b in zip(pitches, pitches[1:], strict=False)]
    return {tuple(steps[i : i + length - 1]) for i in range(len(steps) - length + 2)}


def assign_splits(tunes: Iterable[Tune], *, validation: float = 0.04, test: float = 0.08) -> dict[str, str]:
    """Tune id → split. Tunes that share a run of `GRAM` notes form one group; a group's split follows from a hash of its
    smallest member, so that it does not change when other tunes are added."""
    parent: dict[str, str] = {}

    def find(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    owners: dict[tuple[int, ...], str] = {}
    for tune in tunes:
        parent[tune.id] = tune.id
        for strain in tune.strains:
            pitches = [n.pitch for n in strain.notes]
            for run in interval_runs(pitches):
                if len(set(run)) < 3:
                    continue  # scales and trills are no tune
                other = owners.setdefault(run, tune.id)
                a, b = find(other), find(tune.id)
                if a != b:
                    parent[max(a, b)] = min(a, b)
    groups: dict[str, list[str]] = defaultdict(list)
    for name in parent:
        groups[find(name)].append(name)
    result = {}
    for root, members in groups.items():
        share = int(hashlib.sha256(root.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
        split = "test" if share < test else "validation" if share < test + validation else "train"
        if len(members) > 25:
            split = "train"
        result.update(dict.fromkeys(members, split))
    return result
