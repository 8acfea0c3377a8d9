"""What the documentation takes from the code is up to date."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_generated_pages_are_current(monkeypatch, capsys):
    pytest.importorskip("orchestrion.systems.registry")
    monkeypatch.setattr("sys.argv", ["generate.py", "--check"])
    code = runpy.run_path(str(ROOT / "docs/generate.py"))["main"]()
    assert code == 0, capsys.readouterr().err


def test_table_and_page_of_a_card():
    functions = runpy.run_path(str(ROOT / "docs/generate.py"))
    card = {
        "name": "example",
        "title": "An Example",
        "arxiv": "2000.00001",
        "tasks": ["generate", "infill"],
        "presets": {"mini": 1_500_000},
        "bundled": True,
        "licence": "MIT",
        "claims": ["It works."],
    }
    row = functions["table"]((card,), folder="docs/systems/").splitlines()[2]
    assert row.startswith("| [example](docs/systems/example.md) | [2000.00001](https://arxiv.org/abs/2000.00001) |")
    assert "`mini` 1.5 M" in row
    assert "| preset `mini` | 1,500,000 parameters |" in functions["page"](card)
    assert "- It works." in functions["page"](card)


def test_overview_counts_the_claims_of_each_report():
    text = "# Example\n\n2 of 3 claims hold.\n\n| claim | at least | seed 0 | mean | holds |\n|---|---|---|---|---|\n"
    text += "| It grows | 0.1 | 0.2 | 0.2 | yes |\n| It sings | 1 | 0 | 0 | **no** |\n| It ends | 0 | 1 | yes |\n"
    text += "\n| figure | seed 0 |\n|---|---|\n| size | 3 |\n"
    row = runpy.run_path(str(ROOT / "docs/generate.py"))["reports"]({"example": text}).splitlines()[-1]
    assert row == "| [example](example.md) | 2 of 3 | It sings |"


def test_every_report_agrees_with_its_first_line():
    import re

    index = (ROOT / "docs/reproductions/index.md").read_text()
    for path in sorted((ROOT / "docs/reproductions").glob("*.md")):
        if path.stem != "index":
            held = re.search(r"^(\d+ of \d+) claims hold", path.read_text(), re.MULTILINE)
            assert held is not None and f"| [{path.stem}]({path.stem}.md) | {held[1]} |" in index


def test_picture_shows_the_floors_of_the_contract():
    import re
    import tomllib

    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    functions = runpy.run_path(str(ROOT / "docs/generate.py"))
    drawn = [set(rooms.split(" · ")) for rooms, _ in functions["FLOORS"]]
    assert drawn == [set(re.findall(r"[a-z]+", layer)) - {"errors"} for layer in contract["layers"]]
    assert (ROOT / "docs/images/floors.svg").read_text() == functions["floors_svg"]()
