"""Train, validation and test by tune: versions of one tune, and tunes that share a long run of notes, stay together."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

GRAM = 16  # notes of a run that two tunes may share only inside one split
LARGEST = 25  # tunes of a group that may still go to validation or test


def interval_runs(pitches: Sequence[int], length: int = GRAM) -> set[tuple[int, ...]]:
    """All runs of `length` notes as intervals, so that transposition does not matter; scales and trills are left
    out."""
    steps = [b - a for a, b in pairwise(pitches)]
    runs = (tuple(steps[i : i + length - 1]) for i in range(len(steps) - length + 2))
    return {run for run in runs if len(set(run)) >= 3}


def assign_splits(
    melodies: Mapping[str, Sequence[Sequence[int]]],
    *,
    fixed: Mapping[str, str] | None = None,
    fixed_melodies: Mapping[str, Sequence[Sequence[int]]] | None = None,
    validation: float = 0.04,
    test: float = 0.08,
) -> dict[str, str]:
    """Tune id → split. Tunes that share a run of `GRAM` notes form one group, whose split follows from a hash of its
    smallest id.

    Args:
        melodies: tune id → pitches of each of its strains.
        fixed, fixed_melodies: tunes whose splits are settled. A group that shares a run with one of them takes its
            split; one that shares runs with several splits is left out of the result.
        validation, test: shares of the groups.
    """
    parent: dict[str, str] = {name: name for name in melodies}

    def find(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    settled: dict[tuple[int, ...], set[str]] = defaultdict(set)
    for name, strains in (fixed_melodies or {}).items():
        for strain in strains:
            for run in interval_runs(strain):
                settled[run].add((fixed or {})[name])
    owners: dict[tuple[int, ...], str] = {}
    drawn: dict[str, set[str]] = defaultdict(set)
    for name, strains in melodies.items():
        for strain in strains:
            for run in interval_runs(strain):
                a, b = find(owners.setdefault(run, name)), find(name)
                if a != b:
                    parent[max(a, b)] = min(a, b)
                if run in settled:
                    drawn[name] |= settled[run]
    groups: dict[str, list[str]] = defaultdict(list)
    for name in parent:
        groups[find(name)].append(name)
    result: dict[str, str] = {}
    for root, members in groups.items():
        share = int(hashlib.sha256(root.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
        split = "test" if share < test else "validation" if share < test + validation else "train"
        if len(members) > LARGEST:
            split = "train"
        wanted = set().union(*(drawn[m] for m in members if m in drawn))
        if len(wanted) > 1:
            continue
        result.update(dict.fromkeys(members, next(iter(wanted), split)))
    return result
