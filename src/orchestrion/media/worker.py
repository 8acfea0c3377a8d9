"""The process in which parsers run that can crash, hang or eat memory; `isolation` starts it and talks to it.

A request is a JSON object with `task` and `text`, the reply one with `midi` (base64), `bars`, `times` and `keys`, or
with `error`.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

MOST_MEMORY = 4 << 30  # bytes of address space
ABC_SECONDS = 20.0


def engraving_to_midi(text: str, kind: str) -> dict[str, Any]:
    """What verovio plays of a sheet, repeats played out.

    Args:
        kind: "xml" (MusicXML) or "humdrum".

    Returns:
        `midi`, the file in base64; in quarters `bars`, the positions of the bar lines, and `times`, all positions at
        which a note begins or ends, which are exact where the ticks of `midi` are rounded; and `keys`, the changes of
        key as position, sharps (flats negative) and 1 for minor, which `midi` lacks.

    Raises:
        ValueError: verovio does not understand it.
    """
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setInputFrom(kind)
    if not toolkit.loadData(text):
        raise ValueError("it is not written as the format asks")
    midi = toolkit.renderToMIDI()
    timemap = toolkit.renderToTimemap({"includeMeasures": True})
    return {
        "midi": midi,
        "bars": [float(event["qstamp"]) for event in timemap if "measureOn" in event],
        "times": [float(event["qstamp"]) for event in timemap],
        "keys": key_changes(toolkit.getMEI({}), timemap),
    }


def key_changes(mei: str, timemap: list[dict[str, Any]]) -> list[tuple[float, int, int]]:
    """Changes of key after the first measure; none where parts are transposed, since keys are written as they read.

    Args:
        mei: the sheet as verovio holds it.
        timemap: its measures as they are played.
    """
    if "trans.semi=" in mei:
        return []
    key_of: dict[str, tuple[int, int]] = {}
    current, fresh = None, False
    for tag, attributes in re.findall(r"<(measure|keySig)\b([^>]*)>", mei):
        found = dict(re.findall(r'([\w:.]+)="([^"]*)"', attributes))
        if tag == "measure":
            if current is not None:
                key_of[found.get("xml:id", "")] = current
            fresh = True
        elif fresh or current is None:  # of several staves the first
            sharps = re.fullmatch(r"(\d+)([sf]?)", found.get("sig", ""))
            if sharps:
                current = int(sharps[1]) * (-1 if sharps[2] == "f" else 1), int(found.get("mode") == "minor")
                fresh = False
    changes: list[tuple[float, int, int]] = []
    last = None
    for event in timemap:
        # a measure that is played again bears its name with a suffix
        key = key_of.get(str(event.get("measureOn", "")).split("-rend")[0])
        if key is not None and key != last:
            if last is not None:
                changes.append((float(event["qstamp"]), *key))
            last = key
    return changes


def abc_to_midi(text: str) -> dict[str, Any]:
    """What the abc2midi program, which symusic ships, plays of one tune; chord symbols are not played.

    Returns:
        `midi`, the file in base64; the rest is empty.

    Raises:
        ValueError: it finds no tune.
    """
    import symusic

    program = Path(symusic.__file__).parent / "bin" / "abc2midi"
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "tune.abc", Path(folder) / "tune.mid"
        source.write_text(text, encoding="utf-8")
        subprocess.run(
            [program, source.name, "-silent", "-NGUI", "-NCOM", "-o", target.name],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=ABC_SECONDS,
            check=False,
        )
        if not target.is_file():
            raise ValueError("no tune can be made out in it")
        return {"midi": base64.b64encode(target.read_bytes()).decode(), "bars": [], "times": [], "keys": []}


def engraved_pages(text: str) -> dict[str, Any]:
    """The pages of a MusicXML text, engraved."""
    from orchestrion.media.sheet import engraved_pages as engrave

    return engrave(text)


TASKS: dict[str, Callable[[str], dict[str, Any]]] = {
    "musicxml": lambda text: engraving_to_midi(text, "xml"),
    "kern": lambda text: engraving_to_midi(text, "humdrum"),
    "abc": abc_to_midi,
    "sheet": engraved_pages,
}


def answer(request: bytes) -> bytes:
    """The reply to one request."""
    asked = json.loads(request)
    try:
        reply = TASKS[asked["task"]](asked["text"])
    except (ValueError, subprocess.TimeoutExpired) as error:
        reply = {"error": str(error)}
    except MemoryError:
        reply = {"error": "it needs too much memory"}
    return json.dumps(reply).encode()


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not on every system
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = MOST_MEMORY if hard == resource.RLIM_INFINITY else min(MOST_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def main(reading: int, writing: int) -> None:
    """Answers requests until the other side closes."""
    from multiprocessing.connection import Connection

    _limit_memory()
    requests, replies = Connection(reading, writable=False), Connection(writing, readable=False)
    while True:
        try:
            request = requests.recv_bytes()
        except EOFError:
            return
        replies.send_bytes(answer(request))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
