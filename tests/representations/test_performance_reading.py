"""Notes of a file as the published tokenizer of ImprovNet reads them: its values."""

from __future__ import annotations

import pytest

from orchestrion.representations.performance_reading import published_notes

ONE = [0, 480, 60, 64]
TWO = [ONE, [960, 1440, 62, 64]]


@pytest.mark.parametrize(
    ("notes", "pedal", "tempos", "expected"),
    [
        # the pedal: from the end of the note; twice, of which the first counts; without an end
        ([ONE], [[480, 127], [960, 0]], [[0, 500000]], [(60, 60, 0, 500)]),
        ([ONE], [[240, 127], [960, 0], [960, 127], [1440, 0]], [[0, 500000]], [(60, 60, 0, 1000)]),
        (TWO, [[240, 127]], [[0, 500000]], [(60, 60, 0, 1500), (62, 60, 1000, 500)]),
        # the tempo: the first note after its last change; one that comes late, alone and with another; none
        (
            [[960, 1440, 60, 64], [1920, 2400, 62, 64]],
            [],
            [[0, 500000], [480, 400000]],
            [(60, 60, 4900, 300), (62, 60, 5700, 100)],
        ),
        (TWO, [], [[480, 400000]], [(60, 60, 0, 10), (62, 60, 800, 400)]),
        (TWO, [], [[480, 400000], [960, 500000]], [(60, 60, 0, 400), (62, 60, 800, 500)]),
        (TWO, [], [], [(60, 60, 0, 500), (62, 60, 1000, 500)]),
        # two notes that end together stand in the order of the note-offs that end them
        (
            [[0, 960, 60, 64], [0, 480, 62, 64], [240, 480, 60, 64]],
            [],
            [[0, 500000]],
            [(62, 60, 0, 500), (60, 60, 0, 500), (60, 60, 250, 250)],
        ),
    ],
)
def test_the_published_slips(notes, pedal, tempos, expected):
    assert published_notes(notes, pedal, tempos, 480) == expected
