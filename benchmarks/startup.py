"""How long the package and the command take to start: medians of fresh processes, in seconds."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "import orchestrion": [sys.executable, "-c", "import orchestrion"],
    "orchestrion --help": [sys.executable, "-m", "orchestrion", "--help"],
}
LIMITS = {"import orchestrion": 0.3, "orchestrion --help": 0.5}


def measure(command: list[str], runs: int) -> float:
    """Median wall time of the command in seconds, after one run that fills the disk cache."""
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def main() -> None:
    """Prints each time, and its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    figures = {name: round(measure(command, runs), 3) for name, command in COMMANDS.items()}
    print(json.dumps({"seconds": figures, "limits": LIMITS}))


if __name__ == "__main__":
    main()
