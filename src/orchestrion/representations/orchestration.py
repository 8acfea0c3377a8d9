"""Which instrument plays which role: melody, accompaniment, bass, drums."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrion.representations.arrangement import ROLES

KIT = 128  # the drum kit among General MIDI programs
BASSES = frozenset((*range(32, 40), 43, 58))
LOW = (43, 58, 42, 70, 57, 67)  # what else can carry the bass, the best first: cello, bassoon, trombone, baritone sax
SUSTAINED = frozenset((*range(16, 21), *range(48, 55), *range(88, 96)))  # organs, ensembles, choirs, pads
CHORDAL = frozenset(
    (*range(22), 23, *range(24, 32), 46, *range(48, 55), *range(61, 64), *range(88, 104), 105, 107, 108)
)
TWO_HANDED = frozenset((*range(8), *range(16, 22), 23, 46, *range(48, 52)))  # reaches from bass to melody
BAND_GENRES = {
    *("blues", "bossa nova", "country", "disco", "electronic", "funk", "hip hop", "jazz", "latin", "metal", "polka"),
    *("pop", "ragtime", "reggae", "rock", "samba", "soul", "swing", "tango"),
}


def assign_roles(programs: Sequence[int]) -> dict[str, int]:
    """Role → program for the instruments that are asked for, the most important first; 128 stands for the drum kit.

    The first that usually sings takes the melody. A lone accompanist that plays chords takes the bass as well where it
    reaches so low, and an instrument with two hands accompanies itself. Instruments beyond the seven roles are left
    out.
    """
    roles: dict[str, int] = {}
    rest = list(dict.fromkeys(programs))
    if KIT in rest:
        roles["drums"] = KIT
        rest.remove(KIT)
    basses = [program for program in rest if program in BASSES]
    if basses and len(rest) > 1:
        roles["bass"] = basses[0]
        rest.remove(basses[0])
    if not rest:
        return _ordered(roles)
    singers = [p for p in rest if p not in SUSTAINED and p not in BASSES] or rest
    single = [p for p in singers if p not in CHORDAL]
    melody = (single or singers)[0]
    roles["melody"] = melody
    rest.remove(melody)
    if "bass" not in roles and len(rest) > 1:
        low = [program for program in LOW if program in rest]
        if low:
            roles["bass"] = low[0]
            rest.remove(low[0])
    plucked = [p for p in rest if p in CHORDAL and p not in SUSTAINED]
    held = [p for p in rest if p in SUSTAINED]
    single = [p for p in rest if p not in CHORDAL]
    for program, wanted in [
        *((p, ("chords", "line", "pad", "counter")) for p in plucked),
        *((p, ("pad", "chords", "counter", "line")) for p in held),
        *((p, ("counter", "line", "pad", "chords", "bass")) for p in single),
    ]:
        free = [role for role in wanted if role not in roles]
        if free:
            roles[free[0]] = program
    accompanist = roles.get("chords", roles.get("pad"))
    if accompanist is None and melody in CHORDAL:
        accompanist = roles["chords"] = melody
    if "bass" not in roles and accompanist in TWO_HANDED:
        roles["bass"] = accompanist
    return _ordered(roles)


def _ordered(roles: dict[str, int]) -> dict[str, int]:
    return {role: roles[role] for role in ROLES if role in roles}
