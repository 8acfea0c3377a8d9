"""The accompaniment styles of MMA's standard library that the corpus uses, with what a listener would call them.

Only the library's own styles are listed; those converted from keyboards' factory presets are left out.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Groove:
    """A style.

    Attributes:
        name: MMA's groove name.
        library: its file, relative to MMA's library folder, without suffix.
        genre: as in the vocabulary of prompts.
        label: what it is called more closely.
        metre: of the bars that are written.
        tempo: range in quarter notes a minute in that metre.
        beats: MMA's own beats (its quarters) in a bar.
        colour: how many chords become sevenths (see `theory.harmony.harmonise`).
    """

    name: str
    library: str
    genre: str
    label: str
    metre: tuple[int, int]
    tempo: tuple[int, int]
    beats: int
    colour: float


_COLOURS = {"jazz": 0.95, "bossa nova": 0.95, "swing": 0.6, "blues": 0.45, "soul": 0.75, "funk": 0.6, "latin": 0.4,
            "samba": 0.6, "ragtime": 0.35, "hip hop": 0.6, "disco": 0.4}  # fmt: skip

# genre; label; metre; tempo; file; grooves
_TABLE = """
rock; fifties rock; 4/4; 110-168; 50srock; 50sRock 50sRock1
rock; sixties rock; 4/4; 110-160; 60srock; 60sRock 60sRock1
rock; basic rock; 4/4; 96-150; basicrock; BasicRock BasicRock4
rock; folk rock; 4/4; 96-140; folkrock; FolkRock
rock; jazz rock; 4/4; 100-140; jazzrock; JazzRock JazzRockWalk
rock; twist; 4/4; 132-176; twist; Twist Twist4
rock; rock waltz; 3/4; 96-150; rockwaltz; RockWaltz RockWaltz1 RockWaltzWalk
ballad; rock ballad; 4/4; 60-88; rockballad; RockBallad RockBallad1 RockBalladVoice
rock; slow rock; 4/4; 60-92; rock-128; Rock128 Rock128Plain
pop; eight beat; 4/4; 96-140; 8beat; 8Beat 8Beat1 8BeatWalk
pop; soft rock; 4/4; 80-120; softrock; SoftRock SoftRock1 SoftRock2
pop; bubblegum pop; 4/4; 108-152; bubblerock; BubbleRock
ballad; pop ballad; 4/4; 58-86; popballad; PopBallad PopBallad1 PopBallad2
ballad; ballad; 4/4; 56-84; ballad; Ballad Ballad1
ballad; slow ballad; 12/8; 70-110; ballad128; Ballad128
ballad; slow ballad; 12/8; 70-110; ballad68; Ballad68 Ballad68-44
ballad; piano ballad; 4/4; 56-84; pianoballad; PianoBallad PianoBallad1 PianoBallad2
ballad; guitar ballad; 4/4; 58-88; guitarballad; GuitarBallad GuitarBallad1
ballad; string ballad; 4/4; 54-80; stringballad; StringBallad StringBalladVoice StringBalladStrum
folk; folk; 4/4; 84-132; folk; Folk FolkWalk FolkArticulated
folk; folk ballad; 4/4; 60-92; folkballad; FolkBallad FolkBallad1
blues; folk blues; 4/4; 80-120; bluefolk; BlueFolk BlueFolk2
country; hill country; 4/4; 100-140; hillcountry; HillCountry
country; bluegrass; 4/4; 110-160; bluegrass; BlueGrass BlueGrassClap
country; country swing; 4/4; 100-150; countryswing; CountrySwing CountrySwing1 CountrySwing2
country; country waltz; 3/4; 90-150; countrywaltz; CountryWaltz CountryWaltz1 CountryWaltz2
country; slow country; 4/4; 66-100; slowcountry; SlowCountry SlowCountryWalk
country; western swing; 4/4; 110-168; westernswing; WesternSwing
country; zydeco; 4/4; 120-168; zydeco; Zydeco
blues; blues; 4/4; 76-120; blues; Blues BluesTriple BluesTripleL
blues; country blues; 4/4; 80-120; countryblues; CountryBlues CountryBluesWalk CountryBlues1
blues; fast blues; 4/4; 130-176; fastblues; FastBlues FastBluesWalk FastBlues1
blues; slow blues; 4/4; 56-80; slowblues; SlowBlues SlowBluesWalk4 SlowBluesWalk8
blues; slow blues; 12/8; 70-110; blues128; Blues128
blues; blues; 6/8; 70-110; blues68; Blues68 Blues68Walk
blues; boogie-woogie; 4/4; 120-176; boggiewoggie; BoggieWoggie BoggieWoggie1 BoggieWoggie2
blues; shuffle boogie; 4/4; 104-148; shuffleboggie; ShuffleBoggie ShuffleBoggie1
jazz; bebop; 4/4; 140-200; bebop; Bebop
jazz; piano trio jazz; 4/4; 100-150; evansish; Evansish Evansish1
jazz; jazz combo; 4/4; 110-170; jazzcombo; JazzCombo JazzCombo1 JazzCombo2
jazz; jazz guitar; 4/4; 100-150; jazzguitar; JazzGuitar JazzGuitarWalk JazzGuitar1
jazz; jazz waltz; 3/4; 100-168; jazzwaltz; JazzWaltz JazzWaltz1 JazzWaltz2
jazz; fast jazz waltz; 3/4; 150-200; fastjazzwaltz; FastJazzWaltz FastJazzWaltz1 FastJazzWaltz2
jazz; modern jazz; 4/4; 110-160; modernjazz; ModernJazz ModernJazz1 ModernJazz2
jazz; modern jazz waltz; 3/4; 110-168; modernjazzwaltz; ModernJazzWaltz ModernJazzWaltz1
jazz; mellow jazz; 4/4; 80-120; mellowjazz; MellowJazz
jazz; night jazz; 4/4; 60-92; nitejazz; NiteJazz
jazz; slow jazz; 4/4; 56-84; slowjazz; SlowJazz SlowJazzWalk SlowJazz1
jazz; folky jazz; 4/4; 90-130; folkyjazz; FolkyJazzGuitar FolkyJazzPiano
jazz; gypsy jazz; 4/4; 130-200; gypsyjazz; GypsyJazz GypsyJazzFiddle GypsyJazzGuitar
jazz; jazz in five; 5/4; 120-180; jazz-54; Jazz54 Jazz54Walk
swing; swing; 4/4; 110-170; swing; Swing SwingWalk SwingTriple
swing; easy swing; 4/4; 96-132; easyswing; EasySwing EasySwingWalk EasySwing1
swing; fast swing; 4/4; 160-200; fastswing; FastSwing FastSwingWalk
swing; big band; 4/4; 120-180; bigband; BigBand BigBand1 BigBand8
swing; foxtrot; 4/4; 110-140; foxtrot; Foxtrot Foxtrot1
swing; quickstep; 4/4; 160-200; quickstep; QuickStep QuickStepHit QuickStepDuh
swing; charleston; 4/4; 160-200; charleston; Charleston Charleston1 Charleston2
swing; jive; 4/4; 140-180; jive; Jive JiveClap Jive1
swing; dixieland; 4/4; 140-200; dixie; Dixie Dixie1 Dixie2
swing; soft shoe; 4/4; 90-124; softshoe; Softshoe
swing; swing in six; 6/8; 80-120; 68swing; 68Swing 68Swing1 68Swing2
ragtime; ragtime; 4/4; 90-140; ragtime; RagTime
latin; afro-cuban; 6/8; 100-140; afro-cuban; Afro-Cuban
latin; beguine; 4/4; 96-130; beguine; Beguine Beguine1
latin; bolero; 4/4; 72-104; bolero; Bolero BoleroAlt Bolero1
latin; slow bolero; 4/4; 60-84; slowbolero; SlowBolero SlowBolero1
latin; calypso; 4/4; 120-180; calypso; Calypso Calypso1
latin; cha-cha; 4/4; 110-132; chacha; ChaCha ChaCha1
latin; cuban guitar; 4/4; 90-130; cubanguitar; CubanGuitar
latin; rumba; 4/4; 96-126; rhumba; Rhumba RhumbaTriple
latin; jazz rumba; 4/4; 96-130; jazzrhumba; JazzRhumba
latin; latin fusion; 4/4; 96-130; lfusion; LFusion LFusion1
latin; mambo; 4/4; 150-200; mambo; Mambo Mambo1 Mambo2
latin; merengue; 4/4; 120-160; merengue; Merengue Merengue1 Merengue2
latin; salsa; 4/4; 150-200; salsa; Salsa
latin; son; 4/4; 110-160; son; Son
latin; latin waltz; 3/4; 100-150; latinwaltz; LatinWaltz
bossa nova; bossa nova; 4/4; 104-150; bossanova; BossaNova
samba; samba; 4/4; 96-130; samba; Samba
tango; tango; 4/4; 104-132; tango; Tango Tango1 TangoClean
tango; light tango; 4/4; 104-132; lighttango; LightTango LightTango1
reggae; ska; 4/4; 110-150; ska; Ska Ska1 SkaClap
funk; funk; 4/4; 92-116; bvfunk; BVFunk BVFunkHorns
funk; strut; 4/4; 92-120; strut; Strut Strut2
soul; rhythm and blues; 4/4; 84-120; rb; R&B
soul; soul ballad; 4/4; 60-84; rb-ballad; R&B-Ballad
soul; deep soul; 4/4; 84-116; dsoul; DSoul
soul; gospel; 4/4; 84-130; spiritual; Spiritual
soul; gospel pop; 4/4; 84-124; popspiritual; PopSpiritual
soul; slow gospel; 4/4; 58-84; slowspiritual; SlowSpiritual
disco; disco; 4/4; 112-130; boneym; BoneyM
electronic; trance; 4/4; 126-142; trance; Trance Trance1 Trance2
march; march; 4/4; 96-124; march; March March1
march; slow march; 4/4; 66-90; march; March1Slow
march; brass band march; 4/4; 100-126; bwmarch; BWMarch
march; dixie march; 4/4; 108-140; dixiemarch; DixieMarch
march; march in six; 6/8; 100-190; 68march; 68March
polka; polka; 4/4; 150-200; polka; Polka PolkaArp Polka1
polka; polka; 2/4; 100-126; polka; Polka PolkaArp Polka1
march; march; 2/4; 96-124; march; March March1
march; brass band march; 2/4; 96-124; bwmarch; BWMarch
waltz; waltz; 3/4; 84-160; waltz; Waltz Waltz1 WaltzWalk
waltz; french waltz; 3/4; 110-180; frenchwaltz; FrenchWaltz FrenchWaltz1 FrenchWaltz2
waltz; viennese waltz; 3/4; 150-190; vienesewaltz; VieneseWaltz VieneseWaltz1 VieneseWaltz2
waltz; fast waltz; 3/4; 150-200; fastwaltz; FastWaltz FastWaltzWalk
waltz; broadway waltz; 3/4; 96-160; broadwaywaltz; BroadwayWaltz BroadwayWaltz1 BroadwayWaltz2
waltz; arpeggio waltz; 3/4; 72-130; arpeggiowaltz; ArpeggioWaltz ArpeggioWaltz8
soundtrack; show tune; 4/4; 96-140; showtune; ShowTune ShowTune1 ShowTune2
soundtrack; broadway; 4/4; 96-140; broadway; Broadway Broadway1 Broadway2
soundtrack; slow broadway; 4/4; 60-92; slowbroadway; SlowBroadway SlowBroadway1
chorale; hymn; 4/4; 66-100; hymn; Hymn HymnRoot HymnWalk
lullaby; lullaby; 4/4; 56-84; lullaby; Lullaby Lullaby1 LullabyWalk
world; desert; 4/4; 90-130; desert; Desert
classical; arpeggios; 4/4; 66-110; arpeggio44; Arpeggio4 Arpeggio8 Arpeggio48
classical; arpeggios; 6/8; 66-120; arpeggio68; Arpeggio68 Arpeggio68-816
hip hop; hip hop; 4/4; 84-104; alexis/hiphop; HipHop
"""

_MMA_BEATS = {"68swing": 6, "68march": 2, "afro-cuban": 3, "arpeggio68": 6, "blues68": 6, "ballad68": 4}

# Grooves that play triplet eighths (measured on their own output) or, in jazz and blues, no eighths that could clash
# with them.
SWUNG = frozenset(
    [
        "JazzRock",
        "JazzRockWalk",
        "RockWaltz",
        "RockWaltz1",
        "RockWaltzWalk",
        "RockBallad",
        "RockBallad1",
        "RockBalladVoice",
        "Rock128",
        "Rock128Plain",
        "StringBalladStrum",
        "BlueFolk",
        "BlueFolk2",
        "BlueGrass",
        "BlueGrassClap",
        "CountryWaltz",
        "Blues",
        "BluesTriple",
        "BluesTripleL",
        "CountryBlues1",
        "FastBlues1",
        "BoggieWoggie",
        "BoggieWoggie1",
        "BoggieWoggie2",
        "ShuffleBoggie",
        "ShuffleBoggie1",
        "Evansish",
        "Evansish1",
        "JazzCombo",
        "JazzCombo1",
        "JazzCombo2",
        "JazzGuitar",
        "JazzGuitarWalk",
        "JazzGuitar1",
        "FastJazzWaltz1",
        "FastJazzWaltz2",
        "MellowJazz",
        "NiteJazz",
        "SlowJazz",
        "SlowJazzWalk",
        "GypsyJazz",
        "GypsyJazzFiddle",
        "GypsyJazzGuitar",
        "Swing",
        "SwingWalk",
        "SwingTriple",
        "EasySwing",
        "EasySwingWalk",
        "EasySwing1",
        "FastSwing",
        "FastSwingWalk",
        "SlowSpiritual",
        "BroadwayWaltz",
        "BroadwayWaltz1",
        "Broadway",
        "Broadway1",
    ]
)


def _parse() -> tuple[Groove, ...]:
    found = []
    for line in _TABLE.strip().splitlines():
        genre, label, metre, tempo, library, names = (field.strip() for field in line.split(";"))
        numerator, denominator = (int(x) for x in metre.split("/"))
        low, high = (int(x) for x in tempo.split("-"))
        beats = _MMA_BEATS.get(library, {(2, 4): 4, (12, 8): 4}.get((numerator, denominator), numerator))
        path = library if "/" in library else f"stdlib/{library}"
        colour = _COLOURS.get(genre, 0.0)
        found += [
            Groove(name, path, genre, label, (numerator, denominator), (low, high), beats, colour)
            for name in names.split()
        ]
    return tuple(found)


GROOVES = _parse()
