"""The command line: one command for each verb.

Exit codes: 0 done · 2 the user's mistake, in one sentence · 1 ours, with a hint · 130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer

from orchestrion import __version__
from orchestrion.cli import coding, data, find, listen, make, research, tunes
from orchestrion.errors import OrchestrionError

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,  # square brackets in help texts mean themselves, and --help is quicker
    help="Generate, arrange, edit and describe music.",
    epilog="Every command has its own --help with an example.",
)
for part in (make.app, tunes.app, find.app, listen.app, coding.app, research.app):
    app.registered_commands += part.registered_commands
app.add_typer(data.app, name="data")

# Typer brings its own copy of click or uses the installed one, by its version; this is the base of either's errors.
ClickException = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"orchestrion {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    """Generate, arrange, edit and describe music."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = given[: given.index("--")] if "--" in given else given
    debug, as_json = "--debug" in options, "--json" in options
    rest = [one for one in options if one != "--debug"] + given[len(options) :]  # it may stand anywhere
    if not debug:
        warnings.simplefilter("ignore")
    try:
        code = app(args=rest or ["--help"], prog_name="orchestrion", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        return _fail("Interrupted; nothing was written.", 130, as_json)
    except (BrokenPipeError, SystemExit) as stop:
        if isinstance(stop, SystemExit) and not isinstance(stop.__context__, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whoever read our output has seen enough
        return 0
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _fail(*_sentence(error), as_json)


def _sentence(error: Exception) -> tuple[str, int]:
    if isinstance(error, OrchestrionError):
        hint = "" if error.exit_code == 2 else " (add --debug to see where)"
        return str(error) + hint, error.exit_code
    if isinstance(error, ClickException):
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "orchestrion"
        sentence = error.format_message().strip().rstrip(".") or "A command is missing"  # type: ignore[attr-defined]
        return f"{' '.join(sentence.split())}; see {command} --help.", 2
    message = " ".join(str(error).split())[:300] or "no message"
    return f"Something went wrong inside: {type(error).__name__}: {message} (add --debug to see where).", 1


def _fail(sentence: str, code: int, as_json: bool) -> int:
    safe = "".join(c if c.isprintable() else " " for c in sentence)
    sys.stderr.write(f"orchestrion: {safe}\n")
    if as_json:
        sys.stdout.write(json.dumps({"error": safe, "exit_code": code}, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
