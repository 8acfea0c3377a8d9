"""What a benchmark says of its own process."""

from __future__ import annotations

from pathlib import Path


def peak_memory() -> float:
    """MiB of memory that the process has held at most. `getrusage` would count what its parent held before."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise OSError("this system does not say how much memory a process held")
