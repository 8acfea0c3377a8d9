"""What every command promises: help with an example, exit codes, one object of JSON, silence about tracebacks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
import typer

from orchestrion.cli import main as command_line
from orchestrion.cli.main import app, main
from orchestrion.errors import InputError

GROUP = typer.main.get_command(app)
COMMANDS = sorted(
    f"{name} {inner}".strip()
    for name, command in GROUP.commands.items()  # type: ignore[attr-defined]
    for inner in getattr(command, "commands", [""])
)


def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestrion", *arguments], capture_output=True, text=True, timeout=60, **options
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command, capsys):
    assert main([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"Example: orchestrion {command}" in " ".join(shown.split())
    assert "--json" in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_example_in_help_is_accepted_by_the_parser(command):
    """Options in the examples exist: parsing them must not fail."""
    group = typer.main.get_command(app)
    for name in command.split():
        group = group.commands[name]
    import shlex

    words = shlex.split(group.epilog.removeprefix("Example: orchestrion "))[len(command.split()) :]
    group.make_context(command, words)


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_option_is_the_users_mistake(command, capsys):
    assert main([*command.split(), "--no-such-option"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "--no-such-option" in captured.err


@pytest.mark.parametrize("words", [["nonsense"], ["data"], ["data", "nonsense"], ["generate"], ["generate", "x", "y"]])
def test_mistaken_commands(words, capsys):
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1


def test_json_error_is_one_object_on_stdout():
    done = run("generate", "", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout) == {"error": done.stderr.strip().removeprefix("orchestrion: "), "exit_code": 2}


def test_debug_may_stand_anywhere_and_shows_the_place(capsys):
    for words in (["--debug", "generate", ""], ["generate", "", "--debug"]):
        assert main(words) == 2
        assert "Traceback" in capsys.readouterr().err
    assert main(["generate", ""]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"), [(InputError("Broken file."), 2), (RuntimeError("boom"), 1), (KeyboardInterrupt(), 130)]
)
def test_exit_codes(error, code, monkeypatch, capsys):
    def fail(**_):
        raise error

    monkeypatch.setattr(command_line, "app", fail)
    assert main(["doctor"]) == code
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert ("--debug" in captured.err) == (code == 1)


def test_closed_pipe_makes_no_noise():
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "orchestrion", "--help"], stdout=write_end, stderr=subprocess.PIPE, timeout=60
    )
    os.close(write_end)
    assert done.stderr == b""
    assert done.returncode == 0


def test_interrupt_ends_with_130(tmp_path):
    """A signal during the work, not only during parsing."""
    code = (
        "import os, signal, sys, orchestrion.verbs.doctor as d\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored\n"
        "d.doctor = lambda: os.kill(os.getpid(), signal.SIGINT)\n"
        "from orchestrion.cli.main import main; sys.exit(main(['doctor']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 130, signal.SIGINT
    assert "Traceback" not in done.stderr


def test_what_libraries_print_does_not_reach_stdout():
    code = (
        "import os, sys, orchestrion.verbs.doctor as d\n"
        "real = d.doctor\n"
        "def noisy():\n    print('noise'); os.write(1, b'deeper noise'); return real()\n"
        "d.doctor = noisy\n"
        "from orchestrion.cli.main import main; sys.exit(main(['doctor', '--json']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    found = json.loads(done.stdout)
    assert found["cores"] >= 1
    assert done.returncode == (0 if found["healthy"] else 1)
    assert "noise" in done.stderr


def test_version(capsys):
    from orchestrion import __version__

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"orchestrion {__version__}\n"
