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


def test_picture_shows_the_floors_of_the_contract():
    import re
    import tomllib

    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    functions = runpy.run_path(str(ROOT / "docs/generate.py"))
    drawn = [set(rooms.split(" · ")) for rooms, _ in functions["FLOORS"]]
    assert drawn == [set(re.findall(r"[a-z]+", layer)) - {"errors"} for layer in contract["layers"]]
    assert (ROOT / "docs/images/floors.svg").read_text() == functions["floors_svg"]()
