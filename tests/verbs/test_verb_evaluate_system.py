"""The measures of a paper for the miniature that ships, beside the paper's own."""

import numpy as np
import pytest

from orchestrion.cli.main import main
from orchestrion.errors import InputError, OptionError
from orchestrion.reproductions import getmusic
from orchestrion.reproductions.paper_table import PaperRow, PaperTable
from orchestrion.systems.registry import load
from orchestrion.verbs.evaluate import SystemEvaluation, evaluate


def test_our_figures_and_the_papers_are_told_apart():
    rows = (PaperRow("chords", "higher", 12.345, 65.48, "%"), PaperRow("divergence", "lower", 0.5))
    text = PaperTable("getmusic", "table 1", "8 windows", "100 songs", rows).markdown()
    assert "| measure | our miniature | the paper |" in text
    assert "| chords ↑ | 12.35 % | 65.48 % |" in text
    assert "| divergence ↓ | 0.5 | not known |" in text


def test_track_accuracy_of_the_reference_is_one_and_of_silence_none():
    model = load("getmusic")
    windows = getmusic.test_windows(model, 2)
    grids = [window.grid for window in windows]
    silent = [np.full_like(grid, model.vocabulary.pad) for grid in grids]
    for lead in (True, False):
        assert getmusic.track_accuracy(model, windows, grids, lead=lead) == 1
        assert getmusic.track_accuracy(model, windows, silent, lead=lead) == 0


@pytest.mark.parametrize(("given", "kept"), [("lead", 0), ("accompaniment", 2)])
def test_what_is_given_is_kept(given, kept):
    model = load("getmusic")
    (window,) = getmusic.test_windows(model, 1)
    (made,) = getmusic.write(model, [window], given, 0)
    tracks = getmusic.present(window.grid, model.vocabulary)
    lead, others = [0, 1], [row for t in tracks if t not in (0, getmusic.DRUMS) for row in (2 * t, 2 * t + 1)]
    rows, written = (lead, others) if kept == 0 else (others, lead)
    assert (made[rows] == window.grid[rows]).all()
    assert (made[written] != window.grid[written]).any()


def test_a_name_is_measured_as_a_system_unless_a_file_has_it(tmp_path, monkeypatch, capsys):
    asked = []
    table = PaperTable("getmusic", "table 1", "here", "there", (PaperRow("chords", "higher", 50.0, 65.0),))

    def paper_table(**options):
        asked.append(options["seed"])
        return table

    monkeypatch.setattr(getmusic, "paper_table", paper_table)
    monkeypatch.chdir(tmp_path)
    assert evaluate("getmusic") == SystemEvaluation(table)
    assert main(["evaluate", "getmusic"]) == 0
    assert "the paper: there" in capsys.readouterr().out
    assert asked == [0, 0]
    (tmp_path / "getmusic").mkdir()
    with pytest.raises(InputError, match="holds no score"):
        evaluate("getmusic")


def test_names_that_nothing_bears_are_refused(monkeypatch):
    monkeypatch.delattr(getmusic, "paper_table")
    with pytest.raises(InputError, match="no file, folder or system"):
        evaluate("nothing")
    with pytest.raises(OptionError, match="no table of the paper"):
        evaluate("getmusic")
