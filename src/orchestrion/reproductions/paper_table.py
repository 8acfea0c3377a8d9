"""A table of a paper beside the same measures of the miniature that ships: other sizes, other data, told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from orchestrion.reproductions.report import markdown_table


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One measure: of the miniature, and of the paper where its figure is known."""

    measure: str
    better: Literal["higher", "lower"]
    miniature: float
    paper: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class PaperTable:
    """Measures of a system.

    Attributes:
        system, title: the system, and which table of the paper this is.
        miniature_on, paper_on: the data of either, and how many pieces.
    """

    system: str
    title: str
    miniature_on: str
    paper_on: str
    rows: tuple[PaperRow, ...]

    def markdown(self) -> str:
        """The table, with what each column was measured on above it."""
        arrows = {"higher": "↑", "lower": "↓"}
        rows = [
            [
                f"{row.measure} {arrows[row.better]}",
                f"{row.miniature:.4g} {row.unit}".strip(),
                "not known" if row.paper is None else f"{row.paper:.4g} {row.unit}".strip(),
            ]
            for row in self.rows
        ]
        lines = [f"{self.system}: {self.title}", ""]
        lines += [f"our miniature: {self.miniature_on}", f"the paper: {self.paper_on}", ""]
        return "\n".join([*lines, *markdown_table(["measure", "our miniature", "the paper"], rows)])
