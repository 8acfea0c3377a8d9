"""The commands that the README shows work, in order, in an empty folder."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


def commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", README.read_text(), flags=re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [line.split("  #")[0].strip() for line in lines if line.startswith("$ orchestrion ".removeprefix("$ "))]


def test_readme_shows_six_verbs():
    verbs = {shlex.split(line)[1] for line in commands()}
    assert {"generate", "continue", "infill", "arrange", "harmonize", "describe"} <= verbs


def test_readme_commands_parse():
    import typer

    from orchestrion.cli.main import app

    for line in commands():
        group, words = typer.main.get_command(app), shlex.split(line)[1:]
        while words and hasattr(group, "commands"):
            group = group.commands[words.pop(0)]
        group.make_context(line, words)


def test_readme_commands_run(tmp_path, monkeypatch, capsys):
    """The first in a process of its own, the others in this one, where all is imported already."""
    from orchestrion.cli.main import main

    pytest.importorskip("orchestrion.systems.midicaps")
    pytest.importorskip("orchestrion.systems.getmusic")
    monkeypatch.chdir(tmp_path)
    for number, line in enumerate(commands()):
        words = shlex.split(line)[1:]
        if number:
            assert main(words) == 0, f"{line}\n{capsys.readouterr().err}"
        else:
            done = subprocess.run(
                [sys.executable, "-m", "orchestrion", *words], capture_output=True, text=True, timeout=180
            )
            assert done.returncode == 0, f"{line}\n{done.stderr}"
        if "-o" in words:
            assert (tmp_path / words[words.index("-o") + 1]).stat().st_size > 0
