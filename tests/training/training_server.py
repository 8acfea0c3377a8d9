"""A process that trains when it is asked to, so that torch is imported once for many trainings."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

SCRIPT = Path(__file__).with_name("tiny_training.py")


@cache
def server() -> subprocess.Popen[str]:
    """The process, which ends with this one."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    started = subprocess.Popen([sys.executable, SCRIPT, "serve"], **pipes)
    atexit.register(started.stdin.close)
    return started


def run(kind, folder, **options) -> int:
    """Trains in processes of their own and gives the exit code."""
    server().stdin.write(json.dumps({"kind": kind, "folder": str(folder), **options}) + "\n")
    server().stdin.flush()
    return int(server().stdout.readline())
