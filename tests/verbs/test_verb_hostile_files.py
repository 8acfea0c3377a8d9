"""Broken files end every verb that reads music in one sentence, and leave nothing behind."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("orchestrion.media.score")

MIDI_START = b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0MTrk"
FILES = {
    "empty.mid": b"",
    "random.mid": bytes((i * 197 + 31) % 256 for i in range(4096)),
    "truncated.mid": MIDI_START + b"\x00\x00\x10\x00\x00\x90",
    "no_notes.mid": MIDI_START + b"\x00\x00\x00\x04\x00\xff\x2f\x00",
    "bomb.musicxml": b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "'
    + b"&a;" * 50
    + b'">]><score-partwise>&b;</score-partwise>',
    "picture.png": b"\x89PNG\r\n\x1a\n",
}
VERBS = {
    "describe": [],
    "evaluate": [],
    "continue": ["-o", "out.mid"],
    "harmonize": ["-o", "out.mid"],
}


@pytest.mark.parametrize("verb", VERBS)
def test_broken_files(verb, tmp_path, capsys, monkeypatch):
    from orchestrion.cli.main import main

    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
        assert main([verb, name, *VERBS[verb]]) == 2, name
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.strip().count("\n") == 0, captured.err
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)


def test_missing_file(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "orchestrion", "describe", str(tmp_path / "no.mid")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "no.mid" in done.stderr
