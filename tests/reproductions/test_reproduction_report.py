"""Reports of reproductions: what holds is said, and what does not."""

import json
import math

import pytest

from orchestrion.reproductions.report import Claim, Plot, Reproduction


@pytest.fixture
def report():
    return Reproduction(
        name="system",
        title="A claim in small",
        claims=(Claim.at_least("a | b", 20, [25.0, 21.0]), Claim.at_least("c", 0.9, [0.95, 0.85])),
        figures={"accuracy": [0.5, math.nan]},
        plots=(
            Plot("bars", "Bars", {"with": [1, 2], "without": [0, 1]}, ["x", "y"]),
            Plot("lines", "Lines", {"loss": [3.0, 2.0, 1.0]}, [0, 1, 2], kind="lines"),
        ),
        method=("Trained on little <data>.",),
        seeds=(0, 1),
        seconds=90,
    )


@pytest.mark.parametrize(
    ("values", "holds"), [([1, 2], True), ([1, 0.99], False), ([math.nan, 3], False), ([], False), ([1], True)]
)
def test_a_claim_holds_only_if_every_seed_reaches_it(values, holds):
    assert Claim.at_least("x", 1, values).holds is holds


def test_markdown_says_what_holds(report):
    text = report.markdown()
    assert not report.holds
    assert "1 of 2 claims hold" in text
    assert "| a \\| b | 20 | 25 | 21 | 23 | yes |" in text
    assert "| c | 0.9 | 0.95 | 0.85 | 0.9 | **no** |" in text
    assert "| accuracy | 0.5 | – |" in text
    assert "in 1.5 minutes" in text


def test_files(report, tmp_path):
    files = report.write(tmp_path / "out")
    assert {path.name for path in files} == {"report.md", "report.html", "report.json", "bars.png", "lines.png"}
    page = (tmp_path / "out" / "report.html").read_text()
    assert "&lt;data&gt;" in page and page.count("data:image/png;base64,") == 2
    data = json.loads((tmp_path / "out" / "report.json").read_text())
    assert data["figures"]["accuracy"] == [0.5, None]
    assert (tmp_path / "out" / "bars.png").read_bytes()[:4] == b"\x89PNG"
    again = report.write(tmp_path / "again")
    assert [a.read_bytes() for a in files] == [b.read_bytes() for b in again]
