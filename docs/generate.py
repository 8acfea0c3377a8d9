"""Writes what the documentation takes from the code: the tables of systems, a page for each, the picture of the floors,
the overview of reproductions.

`python docs/generate.py --check` writes nothing and exits with 1 where something is out of date.
"""

from __future__ import annotations

import re
import sys
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
START = "<!-- systems: written by docs/generate.py -->\n"
END = "<!-- end of systems -->"
FLOORS = (
    ("cli", "commands"),
    ("verbs · reproductions", "each verb once; each claim measured"),
    ("systems", "one file for each paper"),
    ("training · evaluation · hub", "stages, metrics, weights"),
    ("codecs", "sound to latents and tokens"),
    ("paradigms", "how models learn and sample"),
    ("nn", "layers and backbones"),
    ("representations · data", "sequences; pieces and corpora"),
    ("theory · analysis", "chords, keys; what can be heard"),
    ("media", "scores, sound, sheets, pictures"),
)


def table(systems: tuple[dict[str, Any], ...], *, folder: str) -> str:
    """A row for each system, linked to its page in `folder`."""
    rows = ["| system | paper | does | sizes | weights |", "|---|---|---|---|---|"]
    for one in systems:
        sizes = ", ".join(
            f"`{name}` {one['presets'][name] / 1e6:.1f} M" for name in ("mini", "paper") if name in one["presets"]
        )
        paper = f"[{one['arxiv']}](https://arxiv.org/abs/{one['arxiv']})" if one.get("arxiv") else "–"
        weights = "in the package" if one["bundled"] else "train them"
        link = f"[{one['name']}]({folder}{one['name']}.md)"
        tasks = ", ".join(task.rstrip("_") for task in one["tasks"])
        rows.append(f"| {link} | {paper} | {tasks} | {sizes} | {weights} |")
    return "\n".join(rows) + "\n"


def page(one: dict[str, Any]) -> str:
    """The card of one system as a page, and after it the notes that are written by hand, where there are any."""
    lines = [f"# {one['name']}", "", one["title"], "", "| | |", "|---|---|"]
    for name, value in one.items():
        if name in ("name", "title", "presets", "claims") or value in (None, "", [], {}):
            continue
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        lines.append(f"| {name.replace('_', ' ')} | {str(shown).replace('|', '/')} |")
    lines += [f"| preset `{name}` | {count:,} parameters |" for name, count in one["presets"].items()]
    claims = one.get("claims") or []
    if claims:
        lines += ["", "## Claims", "", *(f"- {claim}" for claim in ([claims] if isinstance(claims, str) else claims))]
    notes = ROOT / "docs" / "systems" / "notes" / f"{one['name']}.md"
    return "\n".join(lines) + "\n" + ("\n" + notes.read_text() if notes.is_file() else "")


def reports(texts: dict[str, str]) -> str:
    """The overview of reproductions, and a row for each report: which claims hold and which do not."""
    lines = [
        "# Reproductions",
        "",
        "`orchestrion reproduce NAME` runs the miniature experiment of a system: the claims of its paper as measured "
        "comparisons, with",
        "seeds and controls. The report lies in `runs/reproduce-NAME`. A claim that does not hold is reported as such.",
        "",
        "| report | claims that hold | claims that do not |",
        "|---|---|---|",
    ]
    for name, text in sorted(texts.items()):
        claims = re.findall(r"^\| ([^|]+) \|.*\| (?:\*\*)?(yes|no)(?:\*\*)? \|$", text, re.MULTILINE)
        held = sum(said == "yes" for _, said in claims)
        missed = "; ".join(claim for claim, said in claims if said == "no") or "–"
        lines.append(f"| [{name}]({name}.md) | {held} of {len(claims)} | {missed} |")
    return "\n".join(lines) + "\n"


def floors_svg() -> str:
    """The floors as a picture, in colours that can be read on light and dark pages."""
    height = 46
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {height * len(FLOORS) + 20}" '
        'font-family="sans-serif" font-size="15" role="img" aria-label="Ten floors, each resting on those below">'
    ]
    for place, (rooms, what) in enumerate(FLOORS):
        y, number = 10 + place * height, len(FLOORS) - 1 - place
        hue = 215 - place * 18
        parts.append(
            f'<rect x="10" y="{y}" width="700" height="{height - 6}" rx="6" fill="hsl({hue},45%,88%)" '
            f'stroke="hsl({hue},45%,45%)"/>'
            f'<text x="30" y="{y + 25}" fill="#333" font-weight="bold">{number}</text>'
            f'<text x="60" y="{y + 25}" fill="#111" font-weight="bold">{escape(rooms)}</text>'
            f'<text x="340" y="{y + 25}" fill="#333">{escape(what)}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def documents() -> dict[Path, str]:
    """Every generated file with its text."""
    from orchestrion.verbs.systems import systems

    found = systems().systems
    readme = (ROOT / "README.md").read_text()
    before, _, rest = readme.partition(START)
    _, _, after = rest.partition(END)
    texts = {path.stem: path.read_text() for path in (ROOT / "docs/reproductions").glob("*.md") if path.stem != "index"}
    index = "# Systems\n\nWhat each can do today, from its card.\n\n" + table(found, folder="")
    return {
        ROOT / "README.md": before + START + table(found, folder="docs/systems/") + END + after,
        ROOT / "docs/systems/index.md": index,
        ROOT / "docs/images/floors.svg": floors_svg(),
        ROOT / "docs/reproductions/index.md": reports(texts),
        **{ROOT / f"docs/systems/{one['name']}.md": page(one) for one in found},
    }


def main() -> int:
    """Writes or checks; the exit code."""
    stale = [path for path, text in documents().items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date; run python docs/generate.py", file=sys.stderr)
        return 1 if stale else 0
    for path, text in documents().items():
        if path in stale:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
