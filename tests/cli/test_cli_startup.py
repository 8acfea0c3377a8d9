"""Starting is quick because heavy packages wait until they are needed."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "symusic", "music21", "verovio", "matplotlib", "scipy", "pyarrow", "numpy")


@pytest.mark.parametrize("statement", ["import orchestrion", "import orchestrion.cli.main"])
def test_heavy_packages_are_not_imported(statement):
    code = f"{statement}; import sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""


def test_start_is_within_its_limits():
    benchmark = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "startup.py"))
    for name, command in benchmark["COMMANDS"].items():
        best = min(benchmark["measure"](command, 1) for _ in range(3))  # the best: other work may run beside the tests
        assert best < benchmark["LIMITS"][name], name
