"""Tables of labels in the shapes in which people have them."""

from pathlib import Path

import pytest

from orchestrion.data.label_table import read_label_table
from orchestrion.errors import InputError

FILES = ["a.wav", "sub/b.mp3", "sub/c.flac", "other/b.mp3"]


@pytest.fixture
def root(tmp_path):
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def read(root, text, name="labels.csv"):
    path = root / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_label_table(path, [root / one for one in FILES], root=root)


def test_words_in_a_column(root):
    table = read(root, "file,tags\na.wav,calm; piano\nsub/b.mp3,piano\nsub/c,loud|calm\nmissing.wav,loud\n")
    assert [path.name for path in table.files] == ["a.wav", "b.mp3", "c.flac"]
    assert table.names == ("calm", "loud", "piano") and table.task == "tags"
    assert table.labels.tolist() == [[1, 0, 1], [0, 0, 1], [1, 1, 0]]
    assert table.unmatched == ("missing.wav",)


def test_a_column_for_each_tag_and_groups(root):
    table = read(root, "artist\tname\tcalm\tloud\tyear\nX\ta\t1\t0\t1900\nX\tsub/b.mp3\tno\tyes\t1901\n")
    assert table.names == ("calm", "loud") and table.groups == ("X", "X")
    assert table.labels.tolist() == [[1, 0], [0, 1]] and table.task == "tags"


def test_one_class_each(root):
    table = read(root, "﻿filename,genre\na.wav,rock\nsub/c.flac,jazz\n")
    assert table.task == "classes" and table.names == ("jazz", "rock")
    assert len(set(table.groups)) == 2


def test_a_name_that_two_files_have_must_say_more(root):
    table = read(root, "file,tag\nb.mp3,x\nother/b,y\n")
    assert table.unmatched == ("b.mp3",) and table.files == (root / "other/b.mp3",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,tags\nnone.wav,x\n", "names a file"),
        ("file,tags\na.wav,\n", "have no labels"),
        ("file,year\na.wav,1900\n", "no column of labels"),
        ("file\na.wav\n", "a column of files and one of labels"),
        ("file,tags\n", "a line of column names"),
        (b"file,tags\na.wav,\xff\xfe\n", "is no table"),
    ],
)
def test_tables_that_do_not_serve(root, text, said):
    with pytest.raises(InputError, match=said) as raised:
        read(root, text)
    assert "\n" not in str(raised.value)


def test_a_table_that_is_not_there(root):
    with pytest.raises(InputError, match="There is no file"):
        read_label_table(root / "none.csv", [Path(root / "a.wav")], root=root)
