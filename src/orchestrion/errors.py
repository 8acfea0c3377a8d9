"""What can go wrong, each in one sentence: what was wrong, where, and what to do about it.

The command line turns every `OrchestrionError` into that sentence on stderr and into `exit_code`.
"""


class OrchestrionError(Exception):
    """Base of all errors raised on purpose. `exit_code` is 1: the fault is ours."""

    exit_code = 1


class UserError(OrchestrionError):
    """The request cannot be served as it was made. `exit_code` is 2: the user can mend it."""

    exit_code = 2


class InputError(UserError):
    """A file that was given is missing, empty, damaged, hostile, too large or of the wrong kind."""


class OptionError(UserError):
    """An option or argument has a value that is unknown or out of range."""


class PromptError(UserError):
    """The text that asks for music is empty, too long, or asks for nothing that can be served."""


class OutputError(UserError):
    """A result cannot be written where it was asked to be: folder missing, read-only, disk full."""


class MissingDependencyError(UserError):
    """An optional package is needed for this; the sentence names the extra that installs it."""


class WeightsError(UserError):
    """A weights file is missing, damaged, unsafe or of another shape than its network."""


def check_choice(name: str, value: object, *known: object) -> None:
    """Refuses an argument that has none of the known values.

    Raises:
        OptionError: as said.
    """
    if value not in known:
        raise OptionError(f"{name} is {value!r}; choose one of {', '.join(map(str, known))}.")
