"""A process that trains when it is asked to, so that torch is imported once for many trainings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SCRIPT = Path(__file__).with_name("tiny_training.py")


@contextmanager
def training_server() -> Iterator[Callable[..., int]]:
    """A function that trains in processes of their own and gives the exit code."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    with subprocess.Popen([sys.executable, SCRIPT, "serve"], **pipes) as server:

        def run(kind, folder, **options):
            server.stdin.write(json.dumps({"kind": kind, "folder": str(folder), **options}) + "\n")
            server.stdin.flush()
            return int(server.stdout.readline())

        yield run
        server.stdin.close()
