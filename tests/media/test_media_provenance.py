"""The record of how a piece came to be is written beside it and comes back."""

from __future__ import annotations

import json

import pytest

from orchestrion.errors import InputError, OutputError
from orchestrion.media.provenance import Provenance, read_sidecar, write_sidecar

RECORD = Provenance("midicaps", "0123", "a wältz\n“slow”", 3, "CC0-1.0", "0.1.0", {"report": {"key": "D minor"}})


def test_the_record_comes_back(tmp_path):
    path = write_sidecar(tmp_path / "waltz.wav", RECORD)
    assert path == tmp_path / "waltz.json"
    assert json.loads(path.read_text(encoding="utf-8"))["extra"]["report"]["key"] == "D minor"
    assert read_sidecar(tmp_path / "waltz.wav") == RECORD
    assert read_sidecar(path) == RECORD
    assert json.loads(RECORD.to_json()) == RECORD.to_dict()


def test_tags_hold_all_but_the_extra_in_ascii():
    comment = RECORD.tags()["comment"]
    assert comment.isascii()
    assert json.loads(comment) == {name: value for name, value in RECORD.to_dict().items() if name != "extra"}


def test_errors(tmp_path):
    with pytest.raises(OutputError):
        write_sidecar(tmp_path / "missing" / "x.wav", RECORD)
    with pytest.raises(InputError, match="no file"):
        read_sidecar(tmp_path / "x.wav")
    for content in ('{"system": "x"}', "[1]", "no json"):
        (tmp_path / "x.json").write_text(content)
        with pytest.raises(InputError, match="record"):
            read_sidecar(tmp_path / "x.wav")
