# ruff: noqa: E501
"""Accompaniments written as small patterns: chamber music, solo piano, hymns, jigs, and band styles that MMA's library
lacks.

The signs are explained in `textures`. One texture a line, so that they can be compared and extended.
"""

from __future__ import annotations

from orchestrion.data.factory.textures import Part, Texture

Patterns = dict[tuple[int, int], tuple[str, ...]]

FOUR, THREE, TWO, SIX, TWELVE, NINE, CUT3, THREE8 = (4, 4), (3, 4), (2, 4), (6, 8), (12, 8), (9, 8), (6, 4), (3, 8)
_LEGATO_BASS = {
    FOUR: ("R---5---", "R-------", "R---8-5-", "R-3-5-3-"), THREE: ("R-----", "R-5-5-", "R---5-"), TWO: ("R-5-", "R---"),
    SIX: ("R--5--", "R-----"), TWELVE: ("R-----5-----",), NINE: ("R--5--5--", "R--------"), CUT3: ("R-----5-----",), THREE8: ("R--",),
}  # fmt: skip
_BLOCKS = {
    FOUR: ("x---x---", "x-------", "x-x-x-x-"), THREE: ("x-----", "..x-x-", "x-x-x-"), TWO: ("x-x-", "x---"), SIX: ("x--x--", "x-----", "..x..x"),
    TWELVE: ("x--x--x--x--",), NINE: ("x--x--x--", "x--------"), CUT3: ("x-----x-----",), THREE8: ("x--",),
}  # fmt: skip
_BROKEN = {
    FOUR: ("14243424", "13243424", "12341234", "1-2-3-2-"), THREE: ("123432", "1-2-3-", "132323"), TWO: ("1423", "1323"), SIX: ("123432", "123323", "132132"),
    TWELVE: ("123432123432", "123321123321"), NINE: ("123432123", "123123123"), CUT3: ("123432123432",), THREE8: ("123", "132"),
}  # fmt: skip
_LEFT_HAND = {
    FOUR: ("R-x-5-x-", "R-x-x-x-", "R-8-5-8-", "R---x---"), THREE: ("R-x-x-", "R-5-8-", "R---x-"), TWO: ("R-x-", "Rx5x"),
    SIX: ("R-xR-x", "R5858-", "R--x--"), TWELVE: ("R-x--xR-x--x", "R58--85--8--"), NINE: ("R-xR-xR-x", "R--x--x--"), CUT3: ("R---x-R---x-",),
    THREE8: ("Rxx",),
}  # fmt: skip
_STRIDE = {FOUR: ("R-x-5-x-",), TWO: ("Rx5x",), THREE: ("R-x-x-",), SIX: ("R-xR-x",)}
_HELD = dict.fromkeys((FOUR, TWO, TWELVE, CUT3), ("x" + "-" * 3,)) | dict.fromkeys((THREE, SIX, NINE, THREE8), ("x--",))
_VOICES = {
    FOUR: ("x---x---", "x-------", "x-x-x-x-"), THREE: ("x-----", "x---x-", "..x-x-"), TWO: ("x-x-", "x---"), SIX: ("x--x--", "x-----"), TWELVE: ("x-----x-----",),
    NINE: ("x--x--x--",), CUT3: ("x-----x-----",), THREE8: ("x--",),
}  # fmt: skip
_JIG_BASS = {
    SIX: ("R--5--", "R-R5-5", "R--R-5"),
    NINE: ("R--5--5--", "R-RR-55-5"),
    TWELVE: ("R--5--R--5--",),
    THREE8: ("R--",),
    FOUR: ("R-5-R-5-", "R-R-5-5-"),
    TWO: ("R-5-",),
    THREE: ("R---5-", "R-5-5-"),
}
_JIG_CHORD = {
    SIX: ("..x..x", "x-xx-x"),
    NINE: ("..x..x..x",),
    TWELVE: ("..x..x..x..x",),
    THREE8: (".xx",),
    FOUR: (".x.x.x.x", "x.xxx.xx"),
    TWO: (".x.x", "xxxx"),
    THREE: ("..x.x.", "x.xxx."),
}
_BODHRAN = {
    SIX: ("36:x..x.. 64:.xx.xx", "36:X.xX.x"), NINE: ("36:x..x..x.. 64:..x..x..x",), TWELVE: ("36:x..x..x..x.. 64:..x..x..x..x",), THREE8: ("36:x.. 64:.xx",),
    FOUR: ("36:x...x... 64:..xx..xx", "36:x.x.x.x. 37:..x...x."), TWO: ("36:x.x. 64:.x.x",), THREE: ("36:x..... 64:..x.x.",),
}  # fmt: skip
_T = {
    FOUR: (60, 120),
    THREE: (66, 132),
    TWO: (60, 104),
    SIX: (60, 120),
    TWELVE: (60, 110),
    NINE: (66, 120),
    CUT3: (70, 120),
    THREE8: (66, 120),
}
_SLOW = {
    FOUR: (50, 80),
    THREE: (54, 92),
    TWO: (50, 72),
    SIX: (50, 84),
    TWELVE: (56, 90),
    NINE: (56, 84),
    CUT3: (56, 90),
    THREE8: (54, 84),
}
_DANCE = {
    SIX: (140, 184),
    NINE: (140, 184),
    TWELVE: (140, 184),
    FOUR: (112, 190),
    TWO: (96, 132),
    THREE: (100, 150),
    THREE8: (120, 170),
}


def _band(four: str) -> dict[tuple[int, int], tuple[str, ...]]:
    return {FOUR: tuple(four.split("|"))}


TEXTURES: tuple[Texture, ...] = (
    Texture("solo piano", "classical", _T, (0,), (Part("left hand", (0,), "bass", _LEFT_HAND, 45, 58),)),
    Texture("solo piano, broken chords", "classical", _T, (0,), (Part("left hand", (0,), "broken", _BROKEN, 52, 56),)),
    Texture("romantic piano", "classical", _SLOW, (0,), (Part("left hand", (0,), "broken", {FOUR: ("12343234",), THREE: ("123432",), SIX: ("123432",), TWELVE: ("123432123432",)}, 48, 52),)),
    Texture("solo piano lullaby", "lullaby", _SLOW, (0, 10, 8), (Part("left hand", (0,), "broken", _BROKEN, 50, 46),)),
    Texture("music box lullaby", "lullaby", _SLOW, (10, 8, 9, 11), (Part("accompaniment", (10, 8, 46), "broken", _BROKEN, 62, 48), Part("pad", (48, 89), "chord", _HELD, 55, 40))),
    Texture("lullaby with flute and harp", "lullaby", _SLOW, (73, 74, 68, 40), (Part("harp", (46,), "broken", _BROKEN, 55, 50), Part("strings", (48,), "chord", _HELD, 57, 42))),
    Texture("lullaby with guitar", "lullaby", _SLOW, (53, 73, 75, 24), (Part("guitar", (24,), "broken", _BROKEN, 52, 52),)),
    Texture("string quartet", "classical", _T, (40,), (Part("violin 2", (40,), "voice", _VOICES, 67, 60), Part("viola", (41,), "voice", _VOICES, 60, 58), Part("cello", (42,), "bass", _LEGATO_BASS, 46, 62))),
    Texture("string ensemble", "classical", _T, (40, 48, 42), (Part("strings", (48, 49), "chord", _BLOCKS, 60, 58), Part("cello", (42, 43), "bass", _LEGATO_BASS, 45, 62))),
    Texture("solo with strings", "classical", _T, (73, 68, 71, 40, 60, 56, 24, 46, 0), (Part("strings", (48,), "chord", _BLOCKS, 60, 56), Part("cello", (42,), "bass", _LEGATO_BASS, 45, 60))),
    Texture("waltz for winds and strings", "waltz", {THREE: (66, 168)}, (73, 68, 71, 40, 60), (Part("strings", (48,), "chord", {THREE: ("..x-x-", "..x.x.")}, 60, 56), Part("bass", (42, 43, 32), "bass", {THREE: ("R-----", "R-..5-", "R-....")}, 43, 64))),
    Texture("wind trio", "classical", _T, (73, 68, 72), (Part("clarinet", (71,), "voice", _VOICES, 62, 60), Part("bassoon", (70,), "bass", _LEGATO_BASS, 46, 62))),
    Texture("woodwind quintet", "classical", _T, (73, 68), (Part("oboe", (68,), "voice", _VOICES, 67, 58), Part("clarinet", (71,), "voice", _VOICES, 62, 58), Part("horn", (60,), "voice", _VOICES, 56, 56), Part("bassoon", (70,), "bass", _LEGATO_BASS, 46, 62))),
    Texture("brass quintet", "classical", _T, (56,), (Part("trumpet 2", (56, 59), "voice", _VOICES, 64, 66), Part("horn", (60,), "voice", _VOICES, 58, 64), Part("trombone", (57,), "voice", _VOICES, 53, 66), Part("tuba", (58,), "bass", _LEGATO_BASS, 40, 70))),
    Texture("saxophone quartet", "classical", _T, (64, 65), (Part("alto", (65,), "voice", _VOICES, 62, 60), Part("tenor", (66,), "voice", _VOICES, 57, 60), Part("baritone", (67,), "bass", _LEGATO_BASS, 45, 64))),
    Texture("solo with guitar", "classical", _T, (73, 40, 68, 75, 71, 42, 22, 53), (Part("guitar", (24,), "broken", _BROKEN, 53, 58),)),
    Texture("solo guitar", "classical", _T, (24, 25), (Part("guitar bass", (24,), "broken", _BROKEN, 48, 54),)),
    Texture("harp", "classical", _T, (46, 73, 40, 42, 68), (Part("harp", (46,), "broken", _BROKEN, 52, 54),)),
    Texture("solo with piano arpeggios", "classical", _SLOW, (42, 41, 70, 40, 73, 66, 60), (Part("piano", (0,), "broken", _BROKEN, 55, 52),)),
    Texture("solo with piano", "classical", _T, (40, 68, 71, 73, 56, 60, 65, 41, 42, 70, 69, 74, 57), (Part("piano", (0,), "chord", _BLOCKS, 60, 56), Part("left hand", (0,), "bass", _LEGATO_BASS, 43, 58))),
    Texture("harpsichord", "baroque", _T, (6, 74, 40, 68), (Part("harpsichord", (6,), "broken", _BROKEN, 60, 60), Part("continuo cello", (42, 70), "bass", {FOUR: ("R-5-8-5-", "R-3-5-L-"), THREE: ("R-3-5-", "R-5-L-"), TWO: ("R-5-", "R-3-"), SIX: ("R--5--",), NINE: ("R--5--5--",)}, 45, 62))),
    Texture("baroque ensemble", "baroque", _T, (74, 68, 40, 73), (Part("strings", (48,), "chord", _BLOCKS, 62, 56), Part("harpsichord", (6,), "broken", _BROKEN, 60, 52), Part("continuo cello", (42, 43), "bass", _LEGATO_BASS, 43, 60))),
    Texture("organ hymn", "chorale", _SLOW, (19, 20, 56, 52), (Part("organ", (19,), "chord", _BLOCKS, 60, 60), Part("organ bass", (19,), "bass", _LEGATO_BASS, 43, 62))),
    Texture("choir", "chorale", _SLOW, (52, 53), (Part("alto", (52,), "voice", _VOICES, 64, 60), Part("tenor", (52,), "voice", _VOICES, 57, 60), Part("bass voices", (52, 19), "bass", _LEGATO_BASS, 46, 64))),
    Texture("choir and organ carol", "christmas", {FOUR: (80, 120), THREE: (84, 132), SIX: (66, 110), TWO: (66, 100)}, (52, 56, 14), (Part("organ", (19, 48), "chord", _BLOCKS, 60, 60), Part("bells", (14, 9, 112), "broken", {FOUR: ("1---3---",), THREE: ("1-----",), SIX: ("1--3--",), TWO: ("1---",)}, 72, 48), Part("organ bass", (19, 43), "bass", _LEGATO_BASS, 43, 62))),
    Texture("christmas bells", "christmas", {FOUR: (92, 140), THREE: (96, 150), SIX: (80, 120), TWO: (80, 112)}, (9, 14, 8, 11, 73), (Part("strings", (48,), "chord", _BLOCKS, 60, 56), Part("bells", (14, 112, 10), "broken", {FOUR: ("1-3-2-3-",), THREE: ("1-3-3-",), SIX: ("1--3--",), TWO: ("1-3-",)}, 74, 50), Part("bass", (43, 32), "bass", _LEGATO_BASS, 42, 62), Part("sleigh bells", (0,), "drums", {FOUR: ("54:xxxxxxxx",), THREE: ("54:xxxxxx",), SIX: ("54:xxxxxx",), TWO: ("54:xxxx",)}, 0, 50))),
    Texture("orchestra", "soundtrack", {FOUR: (66, 150), THREE: (80, 160), SIX: (66, 160), TWO: (66, 110), NINE: (80, 120), TWELVE: (80, 130)}, (60, 73, 68, 56, 48, 40), (Part("strings", (48,), "chord", _BLOCKS, 60, 62), Part("woodwinds", (71, 68, 73), "broken", _BROKEN, 67, 50), Part("bass", (43, 42), "bass", _LEGATO_BASS, 40, 66), Part("timpani", (47,), "bass", {FOUR: ("R-......", "R-....5-"), THREE: ("R-....",), SIX: ("R-....",), TWO: ("R-..",), NINE: ("R-.......",), TWELVE: ("R-..........",)}, 41, 70))),
    Texture("epic battle", "soundtrack", {FOUR: (120, 170), SIX: (120, 180), THREE: (120, 168)}, (60, 61, 56, 48), (Part("strings", (48, 44), "broken", {FOUR: ("11211311", "1111111111111111"), SIX: ("112113",), THREE: ("112131",)}, 55, 70), Part("brass", (61, 57), "chord", _HELD, 55, 74), Part("bass", (43, 58), "bass", {FOUR: ("R-R-R-R-", "R---R-R-"), SIX: ("R--R--",), THREE: ("R-R-R-",)}, 38, 80), Part("taiko", (0,), "drums", {FOUR: ("41:X..x..x.X..x..x. 36:X.......X.......",), SIX: ("41:X.xX.x 36:X.....",), THREE: ("41:X.xxx. 36:X.....",)}, 0, 90))),
    Texture("dark soundtrack", "soundtrack", _SLOW, (42, 68, 69, 52, 0), (Part("tremolo strings", (44, 48), "chord", _HELD, 55, 56), Part("low strings", (43, 42), "bass", {m: (v[-1],) for m, v in _LEGATO_BASS.items()}, 36, 66), Part("choir", (52, 91), "voice", _HELD, 62, 46))),
    Texture("ambient", "ambient", _SLOW, (88, 92, 54, 73, 11), (Part("pad", (89, 91, 88, 95), "chord", _HELD, 60, 52), Part("bells", (98, 11, 8, 99), "broken", {FOUR: ("1---3---2---4---", "..3...4..."), THREE: ("1---3-",), SIX: ("1--3--",), TWELVE: ("1-----3-----",)}, 72, 44), Part("bass", (38, 39, 43), "bass", {FOUR: ("R---",), THREE: ("R--",), SIX: ("R-",), TWELVE: ("R---",)}, 38, 56)), 0.8),
    Texture("children's song", "children", {FOUR: (96, 132), THREE: (96, 150), TWO: (84, 116), SIX: (90, 132)}, (0, 13, 12, 9, 74, 10), (Part("piano", (0, 12, 15), "bass", _STRIDE, 50, 58),)),
    Texture("children's band", "children", {FOUR: (100, 140), THREE: (100, 150), TWO: (88, 120), SIX: (96, 140)}, (78, 13, 74, 79, 72), (Part("guitar", (25, 24), "chord", {FOUR: (".x.x.x.x", "x.xxx.xx"), THREE: ("..x.x.",), TWO: (".x.x",), SIX: ("..x..x",)}, 58, 58), Part("bass", (32, 33), "bass", _JIG_BASS, 40, 66), Part("percussion", (0,), "drums", {FOUR: ("54:..x...x. 76:x...x... 36:x...x...",), THREE: ("54:..x.x. 36:x.....",), TWO: ("54:.x.x 36:x.x.",), SIX: ("54:..x..x 36:x..x..",)}, 0, 56))),
    Texture("fiddle and guitar", "folk", _DANCE, (110, 40, 78, 21, 105), (Part("guitar", (25,), "chord", _JIG_CHORD, 57, 62), Part("bass", (32,), "bass", _JIG_BASS, 40, 66))),
    Texture("ceilidh band", "folk", _DANCE, (110, 21, 78, 73, 109), (Part("guitar", (25,), "chord", _JIG_CHORD, 57, 62), Part("accordion", (21, 22), "chord", _HELD, 62, 48), Part("bass", (32, 33), "bass", _JIG_BASS, 40, 68), Part("bodhran", (0,), "drums", _BODHRAN, 0, 62))),
    Texture("whistle and harp", "folk", _T, (78, 73, 75, 79), (Part("harp", (46, 24, 15), "broken", _BROKEN, 57, 58),)),
    Texture("bagpipes", "folk", _DANCE, (109,), (Part("drone", (109,), "drone", _HELD, 50, 50), Part("drums", (0,), "drums", _BODHRAN, 0, 66))),
    Texture("accordion duo", "folk", _DANCE, (21, 22, 23, 20), (Part("accordion", (21,), "bass", _STRIDE | {NINE: ("R-xR-xR-x",), TWELVE: ("R-xR-xR-xR-x",)}, 48, 60),)),
    Texture("dulcimer and lute", "folk", _T, (15, 24, 74, 110), (Part("lute", (24, 25), "broken", _BROKEN, 52, 58), Part("tambourine", (0,), "drums", {m: (v[-1],) for m, v in _BODHRAN.items()}, 0, 50))),
    Texture("oriental", "world", {FOUR: (70, 126), THREE: (70, 120), SIX: (70, 130)}, (104, 107, 106, 77, 111, 68), (Part("koto", (107, 15, 46), "broken", _BROKEN, 57, 58), Part("drone", (104, 91, 48), "drone", _HELD, 50, 48), Part("tabla", (0,), "drums", {FOUR: ("64:x.x..xx. 62:...x..x.",), THREE: ("64:x...x. 62:..xx..",), SIX: ("64:x..x.. 62:..x.xx",)}, 0, 60))),
    Texture("kalimba", "world", {FOUR: (84, 120), THREE: (84, 126), SIX: (84, 130), TWELVE: (90, 130)}, (108, 12, 75, 73), (Part("marimba", (12, 108), "broken", _BROKEN, 57, 62), Part("bass", (32, 33), "bass", _LEGATO_BASS, 40, 66), Part("djembe", (0,), "drums", {FOUR: ("64:x..x..x. 63:..x..x.x 69:xxxxxxxx",), THREE: ("64:x..x.. 63:..x..x",), SIX: ("64:x..x.. 63:..x..x 69:xxxxxx",), TWELVE: ("64:x.xx.xx.x.x. 69:x..x..x..x..",)}, 0, 62))),
    Texture("steel band", "latin", {FOUR: (104, 144)}, (114, 12), (Part("guitar", (24, 25), "chord", _band("..x...x.|.xx..xx."), 58, 58), Part("bass", (33,), "bass", _band("R--5--8-"), 40, 70), Part("drums", (0,), "drums", _band("36:x...x... 38:...x..x. 42:xxxxxxxx"), 0, 64))),
    Texture("reggae", "reggae", {FOUR: (66, 92)}, (66, 16, 22, 57, 27), (Part("guitar skank", (27, 28), "chord", _band("..x...x."), 60, 64), Part("organ bubble", (16, 18), "chord", _band(".x.x.x.x"), 62, 46), Part("bass", (33, 34), "bass", _band("R..R5.3.|R---..5R|..R-R.5-"), 38, 80), Part("drums", (0,), "drums", _band("36:....X... 37:....x... 42:x.xxx.xx|36:X...X... 38:....x... 42:xxxxxxxx"), 0, 70)), 0.3),
    Texture("reggae, roots", "reggae", {FOUR: (62, 84)}, (75, 22, 66, 4), (Part("piano skank", (0, 4), "chord", _band("..x...x."), 62, 60), Part("bass", (33,), "bass", _band("R-.R5-8-|R--5R-.."), 36, 82), Part("drums", (0,), "drums", _band("36:....X... 37:....X... 42:x.x.x.x. 46:......x."), 0, 70)), 0.4),
    Texture("metal", "metal", {FOUR: (120, 190)}, (30, 29, 81), (Part("rhythm guitar", (30,), "power", _band("xxxxxxxx|x.xxx.xx|x-xxx-xx|xxxxxxxxxxxxxxxx"), 45, 88), Part("bass", (34, 33), "bass", _band("RRRRRRRR|R.RRR.RR"), 34, 90), Part("drums", (0,), "drums", _band("36:X.xxX.xxX.xxX.xx 38:....X.......X... 42:X.X.X.X.X.X.X.X.|36:XxXxXxXxXxXxXxXx 38:....X.......X... 49:X...............|36:X..xX..x 38:..X...X. 51:xxxxxxxx"), 0, 96))),
    Texture("heavy rock", "rock", {FOUR: (84, 132)}, (29, 30, 18), (Part("rhythm guitar", (30, 29), "power", _band("x-x.x-xx|x--xx---|x.xxx-x-"), 47, 84), Part("bass", (33, 34), "bass", _band("R-R.R-R5|RRRRRRRR"), 36, 86), Part("drums", (0,), "drums", _band("36:X..XX... 38:..X...X. 42:xxxxxxxx|36:X.x.X.xx 38:..X...X. 46:x.x.x.x."), 0, 90))),
    Texture("punk", "rock", {FOUR: (160, 200)}, (29, 30, 27), (Part("rhythm guitar", (29, 30), "power", _band("xxxxxxxx"), 50, 86), Part("bass", (34,), "bass", _band("RRRRRRRR"), 38, 88), Part("drums", (0,), "drums", _band("36:X..xX..x 38:..X...X. 42:xxxxxxxx|36:X.X.X.X. 38:.X.X.X.X 46:x.x.x.x."), 0, 94))),
    Texture("boom bap", "hip hop", {FOUR: (78, 98)}, (4, 11, 66, 73, 80), (Part("keys", (4, 0, 5), "chord", _band("x--..x--|x---..x-"), 60, 58), Part("bass", (33, 38, 32), "bass", _band("R--R..5-|R...R-8-"), 36, 82), Part("drums", (0,), "drums", _band("36:X.....X.X.x..... 38:....X.......X... 42:x.x.x.x.x.x.x.xx|36:X..x..X..x.X.... 38:....X.......X... 42:x.x.x.x.x.x.x.x."), 0, 78)), 0.85),
    Texture("lo-fi hip hop", "hip hop", {FOUR: (68, 88)}, (4, 11, 0, 26), (Part("electric piano", (4, 5), "chord", _band("x---x---|x-----x-"), 59, 54), Part("bass", (32, 35, 33), "bass", _band("R---..5-|R--R----"), 36, 72), Part("drums", (0,), "drums", _band("36:X.....x.x....... 37:....x.......x... 42:x.x.x.x.x.x.x.x."), 0, 62)), 0.95, True),
    Texture("trap", "hip hop", {FOUR: (66, 78)}, (81, 10, 80, 46), (Part("bells", (10, 14, 98), "broken", _band("1.3.2.4.|1---3-2-"), 67, 52), Part("sub bass", (38, 39), "bass", _band("R-----R-|R--...R-"), 31, 90), Part("drums", (0,), "drums", _band("36:X......x..x..... 39:........X....... 42:x.x.x.xxx.x.xxxx"), 0, 78))),
    Texture("house", "electronic", {FOUR: (118, 130)}, (81, 80, 4, 62), (Part("piano stabs", (1, 2, 81), "chord", _band("..x..x.x|x..x..x."), 62, 66), Part("pad", (89, 90, 50), "chord", _HELD, 57, 46), Part("bass", (38, 39), "bass", _band(".R.R.R.R|R.RR.RR."), 36, 82), Part("drums", (0,), "drums", _band("36:X...X...X...X... 39:....X.......X... 46:..x...x...x...x. 42:x.xxx.xxx.xxx.xx"), 0, 84)), 0.7),
    Texture("techno", "electronic", {FOUR: (124, 142)}, (81, 84, 80), (Part("arpeggio", (81, 80, 90), "broken", _band("1213121312131213|1234123412341234"), 60, 60), Part("bass", (38, 39), "bass", _band("R.RR.RR.|..R-..R-..R-..R-"), 34, 84), Part("drums", (0,), "drums", _band("36:X...X...X...X... 42:..x...x...x...x. 39:....x.......x..."), 0, 86))),
    Texture("synthwave", "electronic", {FOUR: (84, 118)}, (81, 80, 62, 50), (Part("pad", (50, 90, 51), "chord", _HELD, 58, 54), Part("arpeggio", (80, 81), "broken", _band("12341234|1234321212343212"), 66, 52), Part("synth bass", (38, 39), "bass", _band("RRRRRRRR|R8R8R8R8"), 36, 80), Part("drums", (0,), "drums", _band("36:X...X... 38:..X...X. 42:xxxxxxxx"), 0, 80))),
    Texture("chiptune", "electronic", {FOUR: (120, 168), THREE: (120, 168), SIX: (110, 160)}, (80, 81), (Part("square arpeggio", (80,), "broken", {FOUR: ("1234123412341234", "12341234"), THREE: ("123412341234", "123123"), SIX: ("123432", "123123")}, 64, 52), Part("bass", (80, 87), "bass", _JIG_BASS, 43, 70), Part("noise drums", (0,), "drums", {FOUR: ("36:X...X... 38:..x...x. 42:x.x.x.x.",), THREE: ("36:X..... 38:..x.x.",), SIX: ("36:X..... 38:...x..",)}, 0, 70))),
    Texture("drum and bass", "electronic", {FOUR: (160, 176)}, (81, 88, 4), (Part("pad", (89, 90), "chord", _HELD, 60, 54), Part("sub bass", (38, 39), "bass", _band("R---..R-|R--R-.5-"), 33, 88), Part("drums", (0,), "drums", _band("36:X.........X..... 38:....X.......X..x 42:x.x.x.x.x.x.x.x."), 0, 84)), 0.6),
    Texture("funk band", "funk", {FOUR: (92, 116)}, (65, 66, 7, 18, 56), (Part("clavinet", (7, 27, 28), "chord", _band("..x..xx...x..x..|x..x..x.....x.x."), 60, 66), Part("slap bass", (36, 33), "bass", _band("R..R..8.R...5.8.|R.R...8..R.5.R8."), 38, 84), Part("brass", (61,), "chord", _band("x.......|......xx"), 64, 66), Part("drums", (0,), "drums", _band("36:X.X.......X..x.. 38:....X..x.x..X... 42:xxxxxxxxxxxxxxxx|36:X..X..X...X..... 38:....X.......X..x 42:x.x.x.x.x.x.x.x."), 0, 82)), 0.75),
    Texture("soul band", "soul", {FOUR: (84, 124)}, (66, 65, 16, 53), (Part("piano", (0, 4), "chord", _band("x-x-x-x-|x---x-x-"), 60, 60), Part("strings", (48,), "chord", _HELD, 64, 44), Part("bass", (33,), "bass", _band("R--R5-8-|R-R.5-R-"), 38, 78), Part("drums", (0,), "drums", _band("36:X..XX... 38:..X...X. 42:xxxxxxxx 54:..x...x."), 0, 74)), 0.6),
    Texture("gospel organ", "soul", {FOUR: (66, 112), THREE: (72, 120), TWELVE: (72, 110), SIX: (60, 84)}, (53, 52, 16, 66), (Part("organ", (16, 18), "chord", _HELD, 60, 60), Part("piano", (0,), "chord", _BLOCKS, 62, 58), Part("bass", (33, 32), "bass", _LEGATO_BASS, 38, 74), Part("claps", (0,), "drums", {FOUR: ("39:..x...x. 36:x...x...",), THREE: ("39:..x.x. 36:x.....",), TWELVE: ("39:...x.....x.. 36:x.....x.....",), SIX: ("39:...x.. 36:x.....",)}, 0, 66)), 0.5),
    Texture("disco band", "disco", {FOUR: (110, 128)}, (65, 56, 48, 81), (Part("guitar", (27, 28), "chord", _band("x.xxx.xx|..xx..xx"), 60, 60), Part("strings", (48, 50), "chord", _HELD, 67, 50), Part("bass", (33, 36), "bass", _band("R8R8R8R8|R.R8R.58"), 38, 80), Part("drums", (0,), "drums", _band("36:XXXX 38:.X.X 46:.x.x.x.x 42:x.x.x.x."), 0, 80)), 0.6),
    Texture("bossa trio", "bossa nova", {FOUR: (108, 148)}, (73, 66, 26, 11, 24), (Part("guitar", (24,), "chord", _band("x..x..x...x..x..|x..x..x..x..x..."), 57, 58), Part("bass", (32,), "bass", _band("R--5R--5|R--55--R"), 38, 66), Part("drums", (0,), "drums", _band("36:x..xx..x 37:x..x..x. 42:xxxxxxxx"), 0, 54)), 0.95),
    Texture("samba band", "samba", {FOUR: (96, 126)}, (73, 72, 24, 57), (Part("cavaquinho", (24, 25), "chord", _band("x.x..x.xx.x..x.x|.x.xx.x..x.xx.x."), 62, 60), Part("bass", (33, 32), "bass", _band("R--R5--5|R..RR..R"), 38, 72), Part("drums", (0,), "drums", _band("36:x..xX..xx..xX..x 38:x.x..x.xx.x..x.x 54:xxxxxxxxxxxxxxxx"), 0, 62)), 0.6),
    Texture("tango trio", "tango", {FOUR: (104, 130), TWO: (56, 66)}, (23, 40, 0), (Part("piano", (0,), "chord", {FOUR: ("x...x.x.", "x-x-x-x-"), TWO: ("x..xx.x.", "xxxx")}, 58, 66), Part("bass", (43, 32), "bass", {FOUR: ("R--5R-5-", "R-5-R-5-"), TWO: ("R..5R.5.", "R-5-")}, 40, 70))),
    Texture("pop band", "pop", {FOUR: (84, 136)}, (53, 27, 81, 0, 73), (Part("piano", (0, 2), "chord", _band("x-x-x-x-|x--x--x-"), 60, 58), Part("guitar", (25, 27), "broken", _band("12341234|13243424"), 57, 50), Part("bass", (33, 34), "bass", _band("R-R-R-R-|R--R--R-"), 38, 76), Part("drums", (0,), "drums", _band("36:X..xX... 38:..X...X. 42:xxxxxxxx|36:X..X..X. 38:..X...X. 42:x.x.x.x."), 0, 76))),
    Texture("synth pop", "pop", {FOUR: (104, 132)}, (81, 80, 54, 62), (Part("synth pad", (50, 90), "chord", _HELD, 60, 50), Part("arpeggio", (81, 88), "broken", _band("12341234"), 64, 50), Part("synth bass", (38, 39), "bass", _band("R.RR.RR.|RRRRRRRR"), 36, 80), Part("drums", (0,), "drums", _band("36:X...X... 38:..X...X. 42:x.x.x.x. 39:..x...x."), 0, 80))),
    Texture("ballad with piano", "ballad", {FOUR: (54, 82), THREE: (60, 96), TWELVE: (60, 96), SIX: (54, 80)}, (66, 65, 53, 40, 42, 73, 22, 56, 64, 71, 26), (Part("piano", (0, 4), "broken", _BROKEN, 55, 54), Part("bass", (32, 33, 35), "bass", {FOUR: ("R-------", "R---5---"), THREE: ("R-----",), TWELVE: ("R-----5-----",), SIX: ("R-----",)}, 40, 64)), 0.4),
    Texture("ballad with strings", "ballad", {FOUR: (54, 82), THREE: (60, 96), SIX: (54, 80), TWELVE: (60, 96)}, (0, 66, 68, 40, 53, 24, 73), (Part("piano", (0, 4), "chord", _BLOCKS, 60, 54), Part("strings", (48,), "chord", _HELD, 64, 46), Part("bass", (32, 33), "bass", {m: v for m, v in _LEGATO_BASS.items() if m in (FOUR, THREE, SIX, TWELVE)}, 40, 66)), 0.3),
    Texture("jazz ballad trio", "jazz", {FOUR: (54, 88), THREE: (72, 120)}, (66, 65, 56, 64, 11, 26, 71, 59), (Part("piano", (0,), "chord", {FOUR: ("x---x---", "x--x----", "..x---x-"), THREE: ("x---x-", "..x-x-")}, 60, 52), Part("bass", (32,), "bass", {FOUR: ("R-3-5-L-", "R-5-8-5-"), THREE: ("R-3-5-", "R-5-L-")}, 40, 66)), 0.95, True),
    Texture("rock trio", "rock", {FOUR: (92, 160), THREE: (96, 150), SIX: (80, 130)}, (27, 29, 30, 22, 66, 18), (Part("guitar", (27, 29, 25), "chord", {FOUR: ("x-x-x-x-", "x.xx.xx.", "x---x-x-"), THREE: ("x-x-x-", "x---x-"), SIX: ("x--x--", "x-xx-x")}, 57, 66), Part("bass", (33, 34), "bass", {FOUR: ("RRRRRRRR", "R-R-5-R-"), THREE: ("R-R-5-", "R---5-"), SIX: ("R--R--", "R-RR-5")}, 38, 80), Part("drums", (0,), "drums", {FOUR: ("36:X...X... 38:..X...X. 42:xxxxxxxx", "36:X..xX... 38:..X...X. 51:x.x.x.x."), THREE: ("36:X..... 38:..x.x. 42:xxxxxx",), SIX: ("36:X..... 38:...X.. 42:xxxxxx",)}, 0, 82))),
    Texture("sing-along guitar", "folk", {FOUR: (76, 126), THREE: (80, 140), TWO: (70, 104), SIX: (66, 120)}, (53, 25, 22, 73, 74, 40, 24, 15), (Part("guitar", (25, 24), "bass", _STRIDE, 48, 58),)),
    Texture("country duo", "country", {FOUR: (80, 132), THREE: (80, 144), SIX: (66, 110)}, (22, 110, 25, 26, 27, 105, 53), (Part("guitar", (25,), "bass", _STRIDE, 48, 60), Part("bass", (32, 33), "bass", {FOUR: ("R---5---",), THREE: ("R-----",), SIX: ("R--5--",)}, 38, 70))),
    Texture("acoustic trio", "country", {FOUR: (84, 132), THREE: (84, 144), TWO: (80, 112), SIX: (70, 110)}, (110, 22, 25, 105), (Part("guitar", (25,), "chord", {FOUR: (".x.x.x.x", "..x...x."), THREE: ("..x.x.",), TWO: (".x.x",), SIX: ("..x..x",)}, 57, 60), Part("banjo", (105,), "broken", {FOUR: ("1324132413241324", "12341234"), THREE: ("132434",), TWO: ("13241324",), SIX: ("132432",)}, 62, 50), Part("bass", (32,), "bass", _JIG_BASS, 38, 70))),
    Texture("fife and drum", "march", {FOUR: (92, 120), TWO: (88, 120), SIX: (150, 186)}, (72, 73, 78), (Part("brass", (60, 61), "chord", _BLOCKS, 57, 58), Part("bass drum and snare", (0,), "drums", {FOUR: ("36:X...X... 38:x.xxx.xx",), TWO: ("36:X.X. 38:xxxxxxxx",), SIX: ("36:X..X.. 38:x.xx.x",)}, 0, 72))),
    Texture("military band", "march", {FOUR: (96, 122), TWO: (92, 122), SIX: (150, 186)}, (56, 72, 71, 60), (Part("brass", (61, 57), "chord", {FOUR: (".x.x.x.x",), TWO: (".x.x",), SIX: ("..x..x",)}, 57, 64), Part("tuba", (58,), "bass", _JIG_BASS, 38, 76), Part("drums", (0,), "drums", {FOUR: ("36:X...X... 38:..x...xx 49:x.......",), TWO: ("36:X.X. 38:.x.xxxxx",), SIX: ("36:X..X.. 38:..x..x",)}, 0, 72))),
)  # fmt: skip
