"""Shards: what is written is read, in an order by the seed, and a stream goes on where it stopped."""

import itertools
import json
import tarfile

import numpy as np
import pytest

from orchestrion.data.audio_factory import AudioFactory, choose_pieces
from orchestrion.data.audio_shards import ShardStream, render_shards, write_shards
from orchestrion.data.corpus import load_corpus
from orchestrion.data.piece import Piece
from orchestrion.errors import InputError, OptionError
from orchestrion.media.audio import Audio


def pieces(count=11):
    rng = np.random.default_rng(0)
    return [
        Piece(f"piece-{i}", audio=Audio((rng.standard_normal((1, 50 + i)) * 0.1).astype(np.float32), 8000),
              caption=f"Number {i}.", tags={"n": [str(i)]}, tempo=90.0 + i, split="train")
        for i in range(count)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    written = write_shards(pieces(), folder, per_shard=4, workers=1)
    assert (written.shards, written.samples, written.failures) == (3, 11, ())
    return folder


def test_what_is_written_is_read(shards):
    stream = ShardStream(shards, buffer=1, epochs=1)
    found = {sample.facts["id"]: sample for sample in stream}
    assert sorted(found) == sorted(piece.id for piece in pieces())
    for piece in pieces():
        sample = found[piece.id]
        assert sample.audio.rate == 8000
        np.testing.assert_allclose(sample.audio.samples, piece.audio.samples, atol=1e-4)
        assert sample.facts == {"id": piece.id, "caption": piece.caption, "tags": piece.tags, "tempo": piece.tempo,
                                "split": "train"}  # fmt: skip
    index = json.loads((shards / "index.json").read_text())
    assert [shard["samples"] for shard in index["shards"]] == [4, 4, 3]


def ids(stream, count):
    return [sample.facts["id"] for sample in itertools.islice(stream, count)]


def test_order_follows_from_the_seed_and_every_epoch_has_all(shards):
    first = ids(ShardStream(shards, seed=1, buffer=5), 33)
    assert first == ids(ShardStream(shards, seed=1, buffer=5), 33) != ids(ShardStream(shards, seed=2, buffer=5), 33)
    epochs = [first[i : i + 11] for i in (0, 11, 22)]
    assert all(sorted(epoch) == sorted(epochs[0]) and len(set(epoch)) == 11 for epoch in epochs)
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("stop", [1, 10, 11, 17])
def test_a_stream_goes_on_where_it_stopped(shards, stop):
    whole = ids(ShardStream(shards, seed=3, buffer=4), 30)
    begun = ShardStream(shards, seed=3, buffer=4)
    assert ids(begun, stop) == whole[:stop] and begun.state == stop
    assert ids(ShardStream(shards, seed=3, buffer=4, state=begun.state), 30 - stop) == whole[stop:]


def test_parts_share_the_shards(shards):
    parts = [ids(ShardStream(shards, part=part, parts=2, epochs=1), 99) for part in range(2)]
    assert sorted(parts[0] + parts[1]) == sorted(piece.id for piece in pieces()) and all(parts)


def test_the_same_samples_give_the_same_bytes(shards, tmp_path):
    write_shards(pieces(), tmp_path, per_shard=4, workers=1)
    for path in shards.glob("*.tar"):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_webdataset_finds_the_layout_it_knows(shards):
    """A sample is neighbouring members of one name, plain files without folders."""
    with tarfile.open(shards / "shard-000001.tar") as tar:
        names = tar.getnames()
    assert names[:4] == ["000000004.flac", "000000004.json", "000000005.flac", "000000005.json"]
    webdataset = pytest.importorskip("webdataset")
    read = list(webdataset.WebDataset(str(shards / "shard-000001.tar"), shardshuffle=False))
    assert [sample["__key__"] for sample in read] == [f"{i:09d}" for i in range(4, 8)]
    assert json.loads(read[0]["json"])["id"] == "piece-4" and read[0]["flac"][:4] == b"fLaC"


def test_damage_is_listed_and_passed_over(shards, tmp_path):
    for path in shards.glob("*.tar"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    whole = (tmp_path / "shard-000002.tar").read_bytes()
    (tmp_path / "shard-000002.tar").write_bytes(whole[: len(whole) // 3])
    content = bytearray((tmp_path / "shard-000000.tar").read_bytes())
    content[512:520] = b"notsound"
    (tmp_path / "shard-000000.tar").write_bytes(content)
    stream = ShardStream(tmp_path, epochs=1, buffer=1)
    found = ids(stream, 99)
    assert {f"piece-{i}" for i in (1, 2, 3, 4, 5, 6, 7)} <= set(found) and "piece-0" not in found
    assert {name.partition(":")[0] for name, _ in stream.failures} == {"shard-000000.tar", "shard-000002.tar"}
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "x.tar").write_bytes(b"nothing")
    with pytest.raises(InputError, match="no recordings"):
        next(iter(ShardStream(tmp_path / "only")))


def test_recordings_that_cannot_be_read_are_listed(tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    written = write_shards([*pieces(2), Piece("lost", audio=broken)], tmp_path / "out", workers=1, rate=4000, mono=True)
    assert written.samples == 2 and [id for id, _ in written.failures] == ["lost"]
    assert {sample.audio.rate for sample in ShardStream(tmp_path / "out", epochs=1)} == {4000}


def test_clips_of_the_factory_as_shards(tmp_path):
    factory = AudioFactory(choose_pieces(load_corpus(limit=60), count=3), rate=8000, seconds=0.5)
    written = render_shards(factory, 3, tmp_path, per_shard=2, workers=1)
    assert (written.shards, written.samples) == (2, 3)
    samples = {sample.key: sample for sample in ShardStream(tmp_path, epochs=1)}
    clip, sample = factory.clip(2), samples["000000002"]
    np.testing.assert_allclose(sample.audio.samples, clip.audio.samples, atol=1e-4)
    assert sample.facts["caption"] == clip.caption and sample.facts["piece"] == clip.piece
    np.testing.assert_allclose(sample.facts["beats"], clip.beats, atol=1e-6)
    assert sample.facts["chords"][0][2] == clip.chords[0].chord.harte()


def test_wrong_arguments_are_told(tmp_path, shards):
    for make in (lambda: write_shards([Piece("x")], tmp_path), lambda: ShardStream(tmp_path)):
        with pytest.raises(InputError):
            make()
    for make in (
        lambda: write_shards(pieces(1), tmp_path, per_shard=0),
        lambda: ShardStream(shards, part=2, parts=2),
        lambda: ShardStream(shards, buffer=0),
    ):
        with pytest.raises(OptionError):
            make()
