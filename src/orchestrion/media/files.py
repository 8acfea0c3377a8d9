"""Files are looked at before they are opened, and appear whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrion.errors import InputError, OutputError

# Names of system errors that the user can mend, as the end of a sentence.
REASONS = {
    errno.ENOSPC: "the disk is full; free some space or choose another disk",
    errno.EDQUOT: "the quota of the disk is used up; free some space or choose another disk",
    errno.EFBIG: "the file would be larger than is allowed here; write less or raise the limit",
    errno.EACCES: "writing there is not allowed; choose another folder",
    errno.EPERM: "writing there is not allowed; choose another folder",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ENOENT: "the folder does not exist; make it first or choose another",
    errno.ENOTDIR: "its folder is a file; choose another folder",
    errno.EISDIR: "there is a folder of that name; choose another name",
}
MIB = 1 << 20


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """A temporary path in the folder of `path`, with its suffix; at the end it becomes `path`, on an error it is
    removed and `path` is as it was.

    Raises:
        OutputError: the folder is missing or cannot be written to, the disk is full, or `path` is a folder.
    """
    target = Path(path)
    temporary: Path | None = None
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".orchestrion-", suffix=target.suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # as a file made in the usual way; temporary files are private
        temporary.replace(target)
    except OSError as error:
        if error.errno in REASONS:
            raise OutputError(f"{target} cannot be written: {REASONS[error.errno]}.") from error
        raise
    finally:
        if temporary is not None:
            with suppress(FileNotFoundError):
                temporary.unlink()


def check_input(path: str | Path, *, most_bytes: int | None = None) -> Path:
    """The path of a file that is there, can be read, is not empty and not too large.

    Args:
        most_bytes: the largest size that is accepted; any by default.

    Raises:
        InputError: otherwise.
    """
    found = Path(path)
    try:
        if not found.exists():
            raise InputError(f"There is no file {found}; check the name.")
        if found.is_dir():
            raise InputError(f"{found} is a folder, not a file; give one file.")
        if not found.is_file():
            raise InputError(f"{found} is a device or pipe, not a file; give one file.")
        size = found.stat().st_size
        if not os.access(found, os.R_OK):
            raise InputError(f"Reading the file {found} is not allowed; change its permissions.")
    except (OSError, ValueError) as error:  # a name that is too long or holds a zero byte
        raise InputError(f"There is no file {str(found)[:100]!r}: {_reason(error)}.") from error
    if size == 0:
        raise InputError(f"The file {found} is empty.")
    if most_bytes is not None and size > most_bytes:
        raise InputError(
            f"The file {found} has {size / MIB:.1f} MiB, more than the {most_bytes / MIB:.0f} MiB that are read; "
            "give a smaller one."
        )
    return found


def read_input(path: str | Path, *, most_bytes: int) -> bytes:
    """The content of a file that passes `check_input`.

    Raises:
        InputError: it does not, or it cannot be read.
    """
    found = check_input(path, most_bytes=most_bytes)
    try:
        return found.read_bytes()
    except OSError as error:
        raise InputError(f"The file {found} cannot be read: {_reason(error)}.") from error


def _reason(error: OSError | ValueError) -> str:
    return str(getattr(error, "strerror", None) or error).lower().rstrip(".")
