"""The words of music that prompts and captions use, as tables: phrase → meaning.

Each line of a table is `meaning: phrase, phrase, …`; plurals in -s are understood by the reader of prompts. Genre
and mood names follow the corpus and, where they have one, the MTG-Jamendo tags of MidiCaps.
"""

from __future__ import annotations

DRUMS = 128
NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip


def words(text: str) -> frozenset[str]:
    """The words of a text, for tables of plain words."""
    return frozenset(text.split())


def _table(text: str) -> dict[str, str]:
    entries: dict[str, str] = {}
    for line in text.strip().replace("\n    ", " ").splitlines():  # an indented line goes on with the one before
        meaning, phrases = line.split(":", 1)
        for phrase in phrases.split(","):
            entries[phrase.strip()] = meaning.strip()
    return entries


def _programs(text: str) -> dict[str, tuple[int, ...]]:
    return {phrase: tuple(int(p) for p in programs.split()) for phrase, programs in _table(text).items()}


# General MIDI programs (0-based), 128 = drum kit. The first phrase of a line is the plainest.
INSTRUMENTS = _programs("""
0: piano, pno, grand piano, acoustic piano, upright piano, pianoforte, pianist, ivories
1: bright piano
2: electric grand piano, electric grand
4: electric piano, rhodes, fender rhodes, wurlitzer, e-piano, epiano, keys, keyboard, keyboards
3: honky-tonk piano, honky tonk piano, saloon piano, barroom piano, tack piano
6: harpsichord, clavecin, cembalo, spinet
7: clavinet, clavi
8: celesta, celeste
9: glockenspiel, orchestra bells
10: music box, musical box, music-box
11: vibraphone, vibes, vibraharp
12: marimba
13: xylophone
14: tubular bells, bells, bell, chimes, carillon
15: dulcimer, hammered dulcimer, zither
16: hammond organ, drawbar organ, hammond, jazz organ, electric organ, organ
17: percussive organ
18: rock organ
19: church organ, pipe organ, cathedral organ
20: reed organ, harmonium, pump organ
21: accordion, squeezebox, musette
22: harmonica, blues harp, mouth organ, mouth harp
23: tango accordion, bandoneon, concertina
24: nylon guitar, classical guitar, spanish guitar, flamenco guitar, nylon-string guitar, nylon string guitar,
    ukulele, ukelele, uke, lute, nylon-stringed guitar
25: acoustic guitar, steel guitar, pedal steel, pedal steel guitar, lap steel, slide guitar, dobro, resonator
    guitar, steel-string guitar, steel string guitar, folk guitar, gtr, bouzouki, twelve-string guitar,
    mandolin, strummed guitar, guitar, guitarist
26: jazz guitar, hollow-body guitar, archtop guitar
27: electric guitar, clean electric guitar, clean guitar
28: muted guitar, palm-muted guitar, muted electric guitar, palm muted guitar
29: overdriven guitar, overdrive guitar, crunchy guitar, crunch guitar, rock guitar
30: distortion guitar, distorted guitar, distorted electric guitar, heavy guitar, fuzz guitar, metal guitar
31: guitar harmonics
32: acoustic bass, upright bass, stand-up bass, standup bass, string bass, walking bass, jazz bass
33: electric bass, bass guitar, fingered bass, bass, bassline, bass line, bassist
34: picked bass
35: fretless bass
36: slap bass, slapped bass
38: synth bass, synthesizer bass, bass synth, acid bass
40: violin, vln, violinist
41: viola
42: cello, violoncello, cellist
43: contrabass, double bass, bowed bass
44: tremolo strings
45: pizzicato strings, pizzicato, plucked strings
46: harp, orchestral harp, concert harp, lyre
47: timpani, kettledrums, kettle drums, timps
48: string ensemble, strings, string section, string orchestra, orchestral strings, lush strings, bowed strings
50: synth strings, string machine, synthetic strings
52: choir, choir aahs, chorus of voices, wordless choir, choral voices, choral
53: voice oohs, wordless voices
54: synth voice, synth choir
55: orchestra hit, orchestral hit
56: trumpet, tpt, cornet, flugelhorn, bugle, trumpeter
57: trombone
58: tuba, sousaphone, euphonium
59: muted trumpet, harmon mute trumpet, trumpet with mute
60: french horn, horn
61: brass section, brass, brass ensemble, horn section, horns, brass instruments
62: synth brass
64: soprano saxophone, soprano sax
65: alto saxophone, alto sax
66: tenor saxophone, tenor sax, saxophone, sax, saxophonist
67: baritone saxophone, baritone sax, bari sax
68: oboe
69: english horn, cor anglais
70: bassoon, contrabassoon
71: clarinet, bass clarinet, clarinettist
72: piccolo
73: flute, flutist, transverse flute
74: recorder, blockflute
75: pan flute, panpipes, pan pipes, panflute
76: bottle blow
77: shakuhachi
78: whistle, tin whistle, penny whistle, whistling
79: ocarina
80: synth lead, lead synth, square lead, synth, synthesizer, synthesiser, chiptune lead, moog
81: sawtooth lead, saw lead
82: calliope lead, calliope
83: chiffer lead, chiff lead
84: charang lead
87: brass lead
88: synth pad, pad, pads, new age pad, ambient pad, atmospheric pad
89: warm pad
96: synth effects
104: sitar
105: banjo
106: shamisen
107: koto, guzheng
108: kalimba, mbira, thumb piano
109: bagpipe, bagpipes, pipes
110: fiddle, fiddler
111: shanai, shehnai, shana
112: tinkle bell
113: agogo, cowbells
114: steel drums, steel pan, steelpan, steel drum, steelpans, steel pans
115: woodblock, wood block
116: taiko, taiko drum, taiko drums
117: melodic tom
118: synth drum
119: reverse cymbal
120: guitar fret noise
121: breath noise
122: seashore
123: bird tweet
124: telephone ring
125: helicopter
126: applause
127: gunshot
128: drums, drum kit, timbales, finger snaps, hand claps, handclaps, castanets, maracas, drum set, drumkit, drumset,
    percussion, drummer, drum machine, drum beat, drum loop, drum,
    beats, breakbeat, bongos, congas, tambourine, cajon, djembe, hand percussion, snare, hi-hat, hihat, cymbals,
    shaker, brushes, brushed drums, kick drum, bass drum, tom-toms, rhythm machine, 808
""")

# Groups: programs of the players that make them up.
ENSEMBLES = _programs("""
40 41 42: string quartet, string trio, string quintet
73 68 71 60 70: woodwind quintet, wind quintet
73 68 71 70: woodwinds, woodwind, wind ensemble, winds, wind instruments, woodwind quartet, woodwind section,
    woodwind ensemble
56 60 57 58: brass quintet, brass quartet
64 65 66 67: saxophone quartet, sax quartet
56 57 65 66 0 32 128: big band, swing band, swing orchestra, jazz orchestra, dance orchestra
27 33 0 128: band, full band, backing band, combo, pop band
29 33 128: rock band, power trio, garage band, punk band
30 33 128: metal band
0 32 128: jazz trio
66 0 32 128: jazz quartet, jazz combo, jazz band, jazz ensemble
56 66 0 32 128: jazz quintet
0 40 42: piano trio
0 40 41 42: piano quartet, piano quintet
48 73 68 71 60 56 47: orchestra, symphony orchestra, full orchestra, symphonic orchestra, philharmonic, chamber
    orchestra
48 73 68 60: small orchestra
33 128: rhythm section, bass and drums, drums and bass
56 57 71 58 105 128: dixieland band, marching jazz band
56 57 60 58 61 128: marching band, brass band, military band
110 105 25 43: bluegrass band, string band
110 78 25: celtic band, folk band, ceilidh band
56 24 32 128: mariachi band, mariachi
68 70 73 6: baroque ensemble
""")

# Genres: canonical name: spellings and near kin.
GENRES = _table("""
classical: classical, nocturne, symphonic, orchestral, chamber music, sonata, minuet, concerto, symphony, sonatina,
    divertimento, rondo, etude, prelude
baroque: baroque, fugue, invention, toccata, sarabande, gavotte, allemande
chorale: chorale, gregorian chant, chant, hymn, anthem, psalm, plainchant, motet
jazz: jazz, jazzy, bebop, cool jazz, hard bop, smooth jazz, modern jazz, jazz standard
swing: swing, swinging, swung, jive, charleston, dixieland, foxtrot
blues: blues, bluesy, boogie, boogie-woogie, boogie woogie, shuffle, twelve-bar blues, 12-bar blues, 12 bar blues,
    twelve bar blues, delta blues
rock: rock, rock and roll, rock'n'roll, rock 'n' roll, rock n roll, rock & roll, hard rock, indie rock, soft rock,
    punk, punk rock, grunge, alternative rock, surf rock, indie, rocky, rockabilly, prog rock, progressive rock,
    twist
metal: metal, heavy metal, thrash, death metal
pop: pop, pop song, pop music, synth-pop, synthpop, synth pop, indie pop, k-pop, j-pop, bubblegum, eurodance, soft
    pop, pop rock
ballad: ballad, power ballad, torch song, love song, slow dance
folk: folk, folk music, folk song, folksong, folk tune, folky, traditional, reel, hornpipe, jig, strathspey, celtic,
    irish, scottish, sea shanty, shanty, singer-songwriter, slip jig, fiddle tune
country: country, country and western, country music, bluegrass, honky-tonk, honky tonk, western, cowboy, hillbilly,
    americana, two-step
latin: latin, latin american, salsa, mambo, rumba, rhumba, cha-cha, cha cha, cha-cha-cha, merengue, bolero, cumbia,
    calypso, cuban, reggaeton, mexican, beguine, son montuno, latin jazz
bossa nova: bossa nova, bossa, bossanova
samba: samba, brazilian
tango: tango, milonga, habanera
reggae: reggae, ska, dub, rocksteady, jamaican
funk: funk, funky
soul: soul, soulful, motown, r&b, rhythm and blues, rhythm & blues, rnb, gospel, neo-soul, neo soul
disco: disco, dance-floor, four-on-the-floor disco
electronic: electronic, drum'n'bass, drum n bass, electronica, techno, house, house music, trance, edm, dance music,
    electro, drum and bass,
    drum & bass, dnb, dubstep, synthwave, chiptune, 8-bit, 8 bit, idm, club music, rave
hip hop: hip hop, hip-hop, hiphop, trap, lo-fi, lofi, lo fi, boom bap, boom-bap, trip hop, trip-hop
ambient: ambient, soundscape, drone, new age, new-age, chillout, chill-out
march: march, military march, funeral march, wedding march, marching, parade, fanfare
waltz: waltz, valse, viennese waltz, jazz waltz
polka: polka, oom-pah, oompah
ragtime: ragtime, rag, stride
lullaby: lullaby, cradle song, berceuse, bedtime song
soundtrack: soundtrack, film music, film score, movie score, cinematic, movie music, game music, video game music,
    score for a film, trailer music
children: children's song, nursery rhyme, kids' song, children's music, kids song, childrens song
christmas: christmas carol, christmas, carol, christmas song, xmas
world: world music, flamenco, klezmer, balkan, arabic, middle eastern, indian, japanese, chinese, african, hawaiian,
    oriental, gypsy, greek
""")

MOODS = _table("""
happy: happy, joyful, cheerful, merry, joyous, jolly, sunny, glad, jubilant, bright, cheery, gleeful, carefree,
    feel-good
sad: sad, mournful, sorrowful, gloomy, unhappy, tearful, heartbroken, heart-broken, doleful, grieving, mourning,
    tragic, lamenting, bleak, downcast
melancholic: melancholic, melancholy, wistful, bittersweet, pensive, plaintive, brooding, longing, lonely, forlorn
calm: calm, peaceful, tranquil, serene, quiet, placid, still, gentle, mellow, untroubled
relaxing: relaxing, relaxed, laid-back, laid back, chill, soothing, easygoing, easy-going, restful, unhurried,
    chilled, chilled-out
soft: soft, tender, delicate, hushed, light, intimate, softly, warm, cosy, cozy
meditative: meditative, contemplative, reflective, spiritual, introspective, thoughtful
energetic: energetic, lively, vigorous, driving, exciting, high-energy, dynamic, spirited, excited, pumping,
    restless, energising, energizing, bouncing, action-packed
upbeat: upbeat, up-beat, bouncy, peppy, perky, catchy
fun: fun, playful, whimsical, humorous, mischievous, quirky, funny, comical, silly, jaunty, lighthearted,
    light-hearted, cartoonish, goofy
groovy: groovy, danceable, grooving, dancing
party: party, festive, celebratory, celebration, partying
dark: dark, sinister, ominous, menacing, eerie, spooky, creepy, haunting, scary, ghostly, gothic, haunted, evil,
    frightening, horror
mysterious: mysterious, enigmatic, mystical, secretive, mystery, otherworldly
tense: tense, suspenseful, anxious, nervous, agitated, thrilling, urgent, suspense, frantic
dramatic: dramatic, theatrical, stormy, passionate, drama, intense
epic: epic, heroic, grand, majestic, triumphant, noble, stately, regal, glorious, monumental, victorious, royal,
    ceremonial
powerful: powerful, strong, bold, mighty
heavy: heavy, aggressive, angry, brutal, furious, fierce
romantic: romantic, loving, amorous, affectionate, sensual, love theme, in love, sentimental
dream: dreamy, dreamlike, ethereal, floating, hypnotic, airy, magical, hazy, dream-like, enchanted, enchanting
hopeful: hopeful, optimistic, encouraging, positive, hope
uplifting: uplifting, inspiring, motivational, elevating, inspirational
emotional: emotional, moving, touching, heartfelt, expressive, poignant, heart-warming, heartwarming
nostalgic: nostalgic, nostalgia, sepia, retro, vintage, old-fashioned, old fashioned
solemn: solemn, serious, reverent, dignified, sacred, holy, grave mood, funereal
space: spacey, cosmic, space, starry
""")

ERAS = _table("""
medieval: medieval, middle ages
renaissance: renaissance, elizabethan, tudor
baroque: baroque, 17th century, 17th-century, 1700s
classical: viennese classic, classical period, classical era, 18th century, 18th-century
romantic: romantic era, romantic period, 19th century, 19th-century, victorian
1900s: turn of the century, 1900s
1920s: 1920s, twenties, roaring twenties, 20s, '20s, prohibition era
1930s: 1930s, thirties, 30s, '30s
1940s: 1940s, forties, 40s, '40s, wartime
1950s: 1950s, fifties, 50s, '50s
1960s: 1960s, sixties, 60s, '60s
1970s: 1970s, seventies, 70s, '70s
1980s: 1980s, eighties, 80s, '80s
1990s: 1990s, nineties, 90s, '90s
2000s: 2000s, 00s, noughties
modern: modern, contemporary, present-day
""")
ERA_GENRES = {
    "baroque": "baroque",
    "classical": "classical",
    "romantic": "classical",
    "renaissance": "chorale",
    "1920s": "swing",
    "1900s": "ragtime",
    "1930s": "swing",
    "1940s": "swing",
    "1950s": "rock",
    "1960s": "pop",
    "1970s": "disco",
    "1980s": "pop",
    "1990s": "pop",
}

# Quarter-note tempo ranges, bpm. The borders are MidiCaps' own, so that captions and prompts mean the same.
TEMPO_WORDS: dict[str, tuple[float, float]] = {
    phrase: tuple(float(x) for x in bounds.split())  # type: ignore[misc]
    for phrase, bounds in _table("""
30 40: grave
40 60: largo, lento, very slow, very slowly, extremely slow, glacial, really slow, super slow, largo tempo, at a
    snail's pace
60 70: adagio, larghetto
50 80: slow, slowly, slow tempo, leisurely, slow-moving, slow paced, slow-paced, down-tempo, downtempo, sluggish,
    unhurriedly
70 90: andante, andantino, walking pace, walking tempo
80 120: moderate tempo, moderate, moderate speed, moderately, medium tempo, mid-tempo, midtempo, mid tempo, medium,
    steady tempo, medium-paced, moderate pace, comfortable tempo, comfortable pace, medium speed
80 100: moderately slow, medium slow, slowish
110 135: moderately fast, medium fast, fastish, rather fast, quite fast, fairly fast
90 110: moderato, allegretto
110 140: allegro
120 160: fast, fast tempo, quick, rapid, brisk, fast-paced, fast paced, up-tempo, uptempo, up tempo, speedy,
    briskly, quickly, rapidly, quick tempo, swift, high-tempo, high tempo
140 160: vivace, vivo, allegro vivace, allegro molto
160 200: very fast, extremely fast, breakneck, frenetic, super fast, really fast, furious tempo, blazing, lightning fast
160 210: presto
210 240: prestissimo
""").items()
}

# What a word or scene suggests when the text does not say otherwise: attribute=value, separated by ';'. A tempo of the
# form lo-hi is a range of quarter-note bpm.
IMPLIED = {
    phrase: dict(item.split("=") for item in meaning.split(";"))
    for phrase, meaning in _table("""
metre=3/4;tempo=90-180: waltz, valse, viennese waltz, jazz waltz
metre=3/4;tempo=90-130: minuet, menuet, sarabande, mazurka, polonaise, scherzo, ländler, landler
metre=3/4;tempo=56-84;mood=soft;instruments=10 0: lullaby, cradle song, berceuse, bedtime song
metre=4/4;tempo=100-126: march, military march, parade, marching
metre=4/4;tempo=100-126;instruments=56 57 60: fanfare
metre=4/4;tempo=50-76;mode=minor;mood=solemn: funeral, funeral march, dirge, requiem
metre=6/8;tempo=140-190;instruments=110 78 25: jig
metre=9/8;tempo=140-190;instruments=110 78 25: slip jig
metre=4/4;tempo=100-130;instruments=110 78 25: reel, hornpipe, strathspey
metre=6/8: barcarolle, siciliana, siciliano, gigue, tarantella, sea shanty, shanty
metre=2/4;tempo=100-130: polka, oom-pah, oompah
metre=4/4;tempo=110-130: tango
metre=4/4;tempo=110-150;instruments=24 32 128: bossa nova, bossa, bossanova
metre=4/4;tempo=90-120;instruments=0 24 33 128: samba
metre=4/4;tempo=120-140;instruments=38 80 128: techno, house, trance, edm, house music, rave
metre=4/4;tempo=110-125: disco
metre=4/4;tempo=160-175;instruments=38 80 128: drum and bass, drum & bass, dnb
metre=4/4;tempo=70-92;instruments=4 33 128: lo-fi, lofi, lo fi, boom bap, trip hop
metre=4/4;instruments=80 81 38: chiptune, 8-bit, 8 bit
metre=4/4;instruments=0: ragtime, rag, stride, boogie-woogie, boogie woogie
metre=4/4;tempo=60-84: ballad, power ballad, torch song, slow dance
metre=4/4;tempo=60-90: hymn, chorale, psalm
metre=4/4;instruments=30 33 128: metal, heavy metal, thrash, death metal
tempo=40-80;instruments=88 89: ambient, drone, new age, new-age, meditation, yoga, spa, sleep
genre=christmas;mood=happy;instruments=14 48: christmas, christmas carol, xmas, santa, sleigh ride
mode=minor;mood=dark;instruments=19 48: halloween, haunted house, ghost, vampire, horror film, horror movie
genre=soundtrack;tempo=140-170;mood=energetic;mode=minor: boss fight, battle, chase, chase scene, car chase, boss
    battle, sword fight
genre=jazz;tempo=60-90;mood=relaxing;instruments=66 0 32: smoky bar, cocktail bar, late night bar, lounge, elevator
    music, hotel lobby, smoky, night club, film noir, noir, speakeasy
genre=classical;instruments=19: church, cathedral, wedding
instruments=24;genre=world: flamenco
instruments=21;metre=3/4;genre=waltz: paris, french café, french cafe, café, parisian
instruments=107 77;genre=world: japanese, samurai, japan, zen garden
instruments=104;genre=world: indian, india, raga
instruments=110 78 25;genre=folk: celtic, irish, ireland, irish pub
instruments=109 110;genre=folk: scottish, highlands, scotland
instruments=25 105 110;genre=country: bluegrass, cowboy, western, wild west, saloon
instruments=114 24 128;genre=latin: caribbean, calypso, tropical, beach
instruments=25;genre=folk: campfire, fireside
mood=fun;tempo=120-160: circus, clown, cartoon
mood=calm;tempo=60-90: rainy day, rainy, sunset, evening, night, sleepy, moonlight, snowfall, snow, dawn, by the
    lake, starlit, study music, studying, late-night
mood=energetic;tempo=120-150: workout, running, gym, jogging, sport
mood=party;tempo=110-135: dance floor, dancefloor, nightclub
mood=romantic;tempo=60-90: candlelight, candle-lit, love song, first dance, valentine
genre=soundtrack;mood=epic: hero, heroes, knights, castle, kingdom, medieval battle, dragons
genre=children;tempo=90-120;mood=happy: toddlers, nursery rhyme, children's song, kids
""").items()
}

# What else falls under a word when it is to be left out: first and last programs.
FAMILIES = {
    "brass": (56, 63),
    "brass section": (56, 63),
    "horns": (56, 63),
    "strings": (40, 51),
    "guitar": (24, 31),
    "synth": (80, 103),
    "synthesizer": (80, 103),
    "woodwind": (64, 79),
    "woodwinds": (64, 79),
    "winds": (56, 79),
    "piano": (0, 5),
    "keyboard": (0, 7),
    "keyboards": (0, 7),
    "keys": (0, 7),
    "choir": (52, 54),
    "bass": (32, 39),
    "electric guitar": (26, 31),
    "pad": (88, 95),
}

COMPOSERS = {
    "bach": "baroque",
    "vivaldi": "baroque",
    "handel": "baroque",
    "mozart": "classical",
    "haydn": "classical",
    "beethoven": "classical",
    "chopin": "romantic",
    "schubert": "romantic",
    "brahms": "romantic",
    "liszt": "romantic",
    "joplin": "1900s",
}

# Ordinary words that look like a word of the tables when misspelt; they are never corrected into one.
NEVER_CORRECTED = words(
    """
about above according after again also always anything around bales balls based baseline baselines bases basic
basically basil basin basis bassy beams beast beaten because before behind bella belle belly below berry betas
between billy blast boils books bought bounces bowls brand brash brasses brassy bread break breath bring brought
brown brush brushed build burst cabin cable calls calmer camel canal candy carry cause cease cell cells chain chair
chalk charm chart chase cheap check cheek cheer chess chest chief child chill china choir chord chorded chords claim
claims classy clean clear clerk climb clock clone close closer cloth cloud coach coast concerning concertos
containing converting cooks cough could count court cover craft crash crazy cream crime cross crowd crown curve
cycle daily dairy daisy dance dealt death delay delegate depth diary dolly doubt dozen draft drama drawn dream
dreamt dress dried drink drive drummed drumming duplicate eager early earth eight elect empty enemy enhanced enjoy
enter entry equal error evening event every everything exact excepting executed executing exercising exist existing
exited expressing expression expressions extra fairy faith false faster fault feast featuring ferry field fifth
fifty fight figure final finger first flash flashy flats floats flood floor fluted focus folks folly force found
frame fresh front fruit glass globe goals grade grant grass great green groove group grouping guided guides guilty
hairy harmonic harmonies harmonised harmonize harmony harps harry harsh hashed hearing hears heart heroine holly
house hurry including indicate initiate injection insertion intended introspection inversion jazzed jazzier jolly
keywords large later least leave level light lightly likely listen little logging looks lovely magic major manga
mango manic march marry matching maybe mayor medal melodies melody mercy metal might minor minute minutes mixture
money month morning mother motion motivation motor music never night nothing number often orange order organic
organise organised organize organized organs oriented origin other pairs panic paper paris parity parks partly parts
party passe passed pasta paste peace people percent permission permit person petal phone photo pianos picnic piece
pieces place plain plane planet player please point poppy popular position positions precise press price pride prime
print prize quiet quirk quirks quite raise range rapidly rapids reach ready reflection reflexive refrain relate
related relating relation released releases releasing replaced replacing required requires respective retry right
river rocks rocky rogue roofs rooks roots rouge rough round rounding sadly scale scene score scores scream second
sense serve settings seven shall share sharp shift shoot short should shuffled sight silly simple since singer
singers singing skill sleep slower small smart smile smoke smoothing snake somehow someone something sometimes sorry
sound south space spaced spacy spark speak spend spurious stage stand star start starting state stately steel stick
stone store story strain strains strategy street strength strided string stronger strongest strongly style subset
sugar sunny super suspended sweep sweet synthesis synthesised table taste teach thank their there these thing think
those though thought three threw through throw thrown tight tightly times title today together touch tough tower
trace track trade train treat trial tribe trick trumped truth tuned tunes under until upper usual value vanilla
version versions villa violence violent violet violins vision visit vocal voice voices waist waits walls waste watch
water wells while white whole woman world worry would write wrong young
"""
)
