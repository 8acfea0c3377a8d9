"""Sound in blocks: all of it, in blocks of the length that was asked for, and a look at the first reads no more."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from orchestrion.media.audio_blocks import audio_blocks
from orchestrion.verbs.embed import check_sound

RATE = 1000


@pytest.mark.parametrize(("seconds", "rest", "lengths"), [
    (2.0, 0.0, [2000, 2000, 500]),
    (2.0, 1.0, [2000, 2500]),
    (0.5, 5.0, [500] * 9),  # a rest longer than a block: whole blocks stay blocks
    (60.0, 5.0, [4500]),
])  # fmt: skip
def test_blocks(seconds, rest, lengths, tmp_path):
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (4500, 2)).astype(np.float32)
    soundfile.write(tmp_path / "x.wav", sound, RATE, subtype="FLOAT")
    blocks = list(audio_blocks(tmp_path / "x.wav", seconds=seconds, rest=rest, mono=False))
    assert [block.samples.shape[1] for block in blocks] == lengths
    assert np.array_equal(np.concatenate([block.samples for block in blocks], axis=1), sound.T)
    (mono,) = audio_blocks(tmp_path / "x.wav")
    np.testing.assert_allclose(mono.samples[0], sound.mean(1), atol=1e-7)


def test_a_look_reads_the_beginning_alone(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "x.wav", np.zeros(100 * RATE), RATE)
    read: list[int] = []
    inner = soundfile.SoundFile.read

    def counting(self, frames=-1, **rest):
        made = inner(self, frames, **rest)
        read.append(len(made))
        return made

    monkeypatch.setattr(soundfile.SoundFile, "read", counting)
    check_sound(tmp_path / "x.wav")
    assert 0 < sum(read) <= RATE
