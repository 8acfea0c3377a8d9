"""Measures how far the networks lie from the published code: runs the reference cases and writes the largest difference
of each into docs/parity.md. Run it as `python docs/parity.py`; cases come from $ORCHESTRION_REFERENCE, if set."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/parity.md"
START, END = "<!-- figures -->\n", "<!-- end of figures -->\n"
FILES = {
    "CLMR": ("tests/systems/test_clmr_reference.py",),
    "MusicLDM": (
        "tests/systems/test_musicldm_networks_reference.py",
        "tests/systems/test_musicldm_functions_reference.py",
    ),
    "RAVE": ("tests/systems/test_rave_reference.py",),
    "Codecs": ("tests/codecs/test_codecs_reference.py",),
    "Samplers": ("tests/paradigms/test_samplers_reference.py",),
    "GETMusic": ("tests/systems/test_getmusic_reference.py",),
    "Text2midi": ("tests/systems/test_midicaps_reference.py",),
    "Theme Transformer": ("tests/systems/test_theme_transformer_reference.py",),
    "ImprovNet": ("tests/systems/test_improvnet_reference.py",),
    "Pictures of MIDI": ("tests/systems/test_pictures_of_midi_reference.py",),
    "CM-HRNN": ("tests/systems/test_cm_hrnn_reference.py",),
    "Music FaderNets": ("tests/systems/test_music_fadernets_reference.py",),
}


class Differences:
    """A plugin that notes what tests compare: largest absolute difference, and difference over the largest value."""

    def __init__(self) -> None:
        self.found: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.failed: list[str] = []
        self._case = ""

    def pytest_runtest_setup(self, item: Any) -> None:
        _, bracket, case = item.name.partition("[")
        self._case = case.rstrip("]").split("|")[0] if bracket else item.name.removeprefix("test_").replace("_", " ")

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def note(self, ours: Any, published: Any) -> None:
        ours, published = (np.asarray(torch.as_tensor(one).detach().double()) for one in (ours, published))
        if ours.shape == published.shape and ours.size:
            distance = float(np.abs(ours - published).max())
            self.found[self._case].append((distance, distance / max(float(np.abs(published).max()), 1e-12)))


def measure() -> tuple[list[tuple[str, str, int, float, float]], list[str]]:
    """Rows of system, case, comparisons and both differences; and the tests that failed."""
    rows, failed = [], []
    for system, files in FILES.items():
        seen = Differences()
        for place, name in ((torch.testing, "assert_close"), (np.testing, "assert_allclose")):
            setattr(place, name, _noting(getattr(place, name), seen))
        pytest.main([*(str(ROOT / file) for file in files), "-q", "--no-header", "-p", "no:cacheprovider"], [seen])
        failed += seen.failed
        for case, pairs in sorted(seen.found.items()):
            rows.append((system, case, len(pairs), max(pair[0] for pair in pairs), max(pair[1] for pair in pairs)))
    return rows, failed


def _noting(compare: Any, seen: Differences) -> Any:
    inner = getattr(compare, "compares", compare)

    def noting(ours: Any, published: Any, *rest: Any, **options: Any) -> None:
        inner(ours, published, *rest, **options)
        seen.note(ours, published)

    noting.compares = inner  # type: ignore[attr-defined]
    return noting


def main() -> int:
    """Writes the page and returns 1 where a case fails."""
    rows, failed = measure()
    lines = ["| | case | comparisons | largest difference | of the largest value |", "|---|---|---|---|---|"]
    lines += [f"| {system} | {case} | {count} | {far:.0e} | {share:.0e} |" for system, case, count, far, share in rows]
    before, _, rest = PAGE.read_text().partition(START)
    after = rest.partition(END)[2]
    PAGE.write_text(before + START + "\n".join(lines) + "\n" + END + after)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
