"""Reads gin configuration files as data: nothing in them is imported or run."""

from __future__ import annotations

import ast
import re
from typing import Any

from orchestrion.errors import WeightsError

MOST_TEXT = 1 << 20  # characters


def parse_gin(text: str) -> dict[str, Any]:
    """Bindings by name, without scopes of the value: literals as themselves, "@reference" as text, macros resolved.

    Names keep their scope ("variational/blocks.Encoder.n_out"). Includes and imports are left out; a macro that is not
    defined in the text keeps its "%NAME".

    Raises:
        WeightsError: it is not of this form, or longer than any configuration.
    """
    if len(text) > MOST_TEXT:
        raise WeightsError("The configuration is too long to be one; give the config.gin of the training.")
    found: dict[str, Any] = {}
    for line in _statements(text):
        block = re.fullmatch(r"([\w./]+):\s*", line)
        if block or line.startswith(("import ", "from ", "include ")):
            continue
        name, equals, value = line.partition("=")
        if not equals or not re.fullmatch(r"[\w./]+", name.strip()):
            raise WeightsError(f"The configuration has a line that cannot be read: {line[:60]!r}.")
        found[name.strip()] = _value(value.strip())
    return {name: _resolved(value, found, 0) for name, value in found.items()}


def _statements(text: str) -> list[str]:
    """One string for each binding; lines that a bracket or backslash continues are joined, and bindings under a block
    ("name:" and lines that are indented) get its name."""
    lines: list[str] = []
    open_, block = 0, ""
    for raw in text.splitlines():
        line = _without_comment(raw).rstrip()
        if not line.strip():
            continue
        if open_ > 0 or (lines and lines[-1].endswith("\\")) or (lines and lines[-1].rstrip().endswith("=")):
            lines[-1] = lines[-1].removesuffix("\\") + " " + line.strip()
        else:
            indented = line[0].isspace()
            block = block if indented else ""
            line = line.strip()
            if not indented and re.fullmatch(r"[\w./]+:", line):
                block, line = line[:-1] + ".", line
            elif indented:
                line = block + line
            lines.append(line)
        open_ += sum(line.count(c) for c in "([{") - sum(line.count(c) for c in ")]}")
    return lines


def _without_comment(line: str) -> str:
    quote = ""
    for place, sign in enumerate(line):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign == "#":
            return line[:place]
    return line


def _value(text: str) -> Any:
    """A literal; references and macros inside it as text."""
    quoted = re.sub(r"([@%][\w./]+(?:\(\))?)", lambda found: repr(found[1]), text)
    try:
        return ast.literal_eval(quoted)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise WeightsError(f"The configuration has a value that cannot be read: {text[:60]!r}.") from error


def _resolved(value: Any, macros: dict[str, Any], depth: int) -> Any:
    if depth > 20:
        raise WeightsError("The configuration has macros that name each other in a circle.")
    if isinstance(value, str) and value.startswith("%") and value[1:] in macros:
        return _resolved(macros[value[1:]], macros, depth + 1)
    if isinstance(value, list | tuple):
        return type(value)(_resolved(one, macros, depth + 1) for one in value)
    return value
