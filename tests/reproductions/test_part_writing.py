"""Music in parts is read, and pieces that are learned from are not those that are held out."""

from orchestrion.reproductions.part_writing import part_writing


def test_chorales_and_classics_are_dealt_out():
    train, test = part_writing(most=6)
    assert len(train) + len(test) == 12 and len(test) == 2
    assert not {piece.id for piece in train} & {piece.id for piece in test}
    of_bach = [piece for piece in [*train, *test] if piece.id.startswith("bach/")]
    assert len(of_bach) == 6 and all(len(piece.score.tracks) == 4 for piece in of_bach)
