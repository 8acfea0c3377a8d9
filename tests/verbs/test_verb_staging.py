"""All files or none."""

import errno
import math
import resource
import signal
from pathlib import Path

import numpy as np
import pytest

from orchestrion.errors import OutputError
from orchestrion.verbs.result import MusicResult, WrittenPiece, plain
from orchestrion.verbs.staging import staged


def test_files_appear_together(tmp_path):
    with staged(tmp_path) as folder:
        (folder / "a.mid").write_bytes(b"1")
        (folder / "parts").mkdir()
        (folder / "parts" / "b.wav").write_bytes(b"2")
        assert not (tmp_path / "a.mid").exists()
    assert (tmp_path / "a.mid").read_bytes() == b"1"
    assert (tmp_path / "parts" / "b.wav").read_bytes() == b"2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mid", "parts"]


def test_an_error_leaves_what_was_there(tmp_path):
    (tmp_path / "a.mid").write_bytes(b"old")
    with pytest.raises(RuntimeError), staged(tmp_path) as folder:
        (folder / "a.mid").write_bytes(b"new")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["a.mid"]
    assert (tmp_path / "a.mid").read_bytes() == b"old"


def test_a_folder_in_the_way_is_refused_whole(tmp_path):
    (tmp_path / "b.mid").mkdir()
    with pytest.raises(OutputError, match=r"b\.mid"), staged(tmp_path) as folder:
        (folder / "a.mid").write_bytes(b"1")
        (folder / "b.mid").write_bytes(b"2")
    assert [path.name for path in tmp_path.iterdir()] == ["b.mid"]


def test_full_disk(tmp_path):
    with pytest.raises(OutputError, match="disk is full"), staged(tmp_path), Path("/dev/full").open("wb", 0) as full:
        full.write(b"x")
    assert list(tmp_path.iterdir()) == []


def test_limit_of_file_size(tmp_path):
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OutputError, match="larger"), staged(tmp_path) as folder:
            (folder / "a.wav").write_bytes(bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_other_system_errors_are_not_disguised(tmp_path):
    with pytest.raises(OSError, match="odd") as caught, staged(tmp_path):
        raise OSError(errno.EPIPE, "odd")
    assert not isinstance(caught.value, OutputError)


def test_plain_values():
    assert plain({"a": (math.nan, math.inf, 1.5), 2: {3, 1}}) == {"a": [None, None, 1.5], "2": [1, 3]}
    assert plain([np.float32(0.5), np.array([1, 2]), Path("x"), True]) == [0.5, [1, 2], "x", True]


def test_music_result_as_json():
    import json

    piece = WrittenPiece((Path("a.wav"), Path("a.mid")), 16, 30.5, {"key": "D minor", "odd": math.nan})
    result = MusicResult("generate", "midicaps", "abc", 1, "a waltz ♪", (piece,))
    found = json.loads(result.to_json())
    assert found["pieces"][0] == {
        "files": ["a.wav", "a.mid"],
        "bars": 16,
        "seconds": 30.5,
        "report": {"key": "D minor", "odd": None},
    }
    assert result.files == (Path("a.wav"), Path("a.mid"))
    assert "♪" in result.to_json()
