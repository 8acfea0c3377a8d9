"""Files that belong together appear together or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrion.errors import OutputError
from orchestrion.media.files import REASONS


def check_folder(folder: Path) -> None:
    """Refuses early, before any music is made, what could not be written later.

    Raises:
        OutputError: the folder is missing, no folder, or cannot be written to.
    """
    try:
        if not folder.exists():
            raise OutputError(f"The folder {folder} does not exist; make it first or choose another with -o.")
        if not folder.is_dir():
            raise OutputError(f"{folder} is a file, not a folder; choose another place with -o.")
        with tempfile.TemporaryDirectory(dir=folder, prefix=".orchestrion-"):
            pass
    except OSError as error:
        raise _sentence(folder, error) from error


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A hidden folder inside `folder`; what lies in it at the end is moved up, and on any error it is removed.

    Raises:
        OutputError: something could not be written.
    """
    check_folder(folder)
    hidden = Path(tempfile.mkdtemp(dir=folder, prefix=".orchestrion-"))
    try:
        yield hidden
        _move_up(hidden, folder)
    except OSError as error:
        if error.errno in REASONS:
            raise _sentence(folder, error) from error
        raise
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _move_up(hidden: Path, folder: Path) -> None:
    made = sorted(path for path in hidden.rglob("*") if path.is_file())
    targets = [folder / path.relative_to(hidden) for path in made]
    for target in targets:  # before the first move, so that a refusal leaves nothing behind
        if target.is_dir():
            raise OutputError(f"{target} is a folder and cannot be replaced by a file; choose another name with -o.")
    moved: list[Path] = []
    try:
        for path, target in zip(made, targets, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            existed = target.exists()
            path.replace(target)
            if not existed:
                moved.append(target)
    except OSError:
        for target in moved:
            with suppress(OSError):
                target.unlink()
        raise


def _sentence(folder: Path, error: OSError) -> OutputError:
    reason = REASONS.get(error.errno or 0, f"{(error.strerror or str(error)).lower()}; choose another folder")
    return OutputError(f"Nothing can be written in {folder}: {reason}.")
