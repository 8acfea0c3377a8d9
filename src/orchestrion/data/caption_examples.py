"""Seventeen worked examples for the language model: tags of made-up pieces and a caption for each, all our own."""

from __future__ import annotations

_TEXT = """
genre: ["classical: 0.81", "soundtrack: 0.12"]
mood: ["calm", "romantic"]
instruments: ["Piano"]
time signature: "3/4"
tempo: [66, "Adagio"]
key: "Db major"
chords: [["Db", "Ab7", "Gb"], 6]
duration: [94, "Short song"]
A calm and romantic classical piece for solo piano. It unfolds slowly in D-flat major, in three-four time at about
66 beats per minute, and its harmony drifts from Db to Ab7 and Gb.

genre: ["rock: 0.74"]
mood: ["energetic", "heavy"]
instruments: ["Distortion Guitar", "Electric Bass", "Drums"]
time signature: "4/4"
tempo: [148, "Vivace"]
key: "E minor"
chords: [["Em", "C", "D"], 24]
duration: [182, "Song"]
Loud distortion guitar drives this energetic rock song in E minor, with electric bass and drums pushing along at a
fast 148 bpm. The chords Em, C and D keep coming back in a straight 4/4, giving the track a heavy, relentless feel.

genre: ["jazz: 0.62", "swing: 0.55"]
mood: ["relaxing"]
instruments: ["Tenor Saxophone", "Piano", "Acoustic Bass", "Drums"]
time signature: "4/4"
tempo: [104, "Moderate tempo"]
key: "Bb major"
chords: [["Bb", "Gm7", "Cm7", "F7"], 12]
duration: [210, "Song"]
A relaxing tune between jazz and swing. The tenor saxophone carries the melody over piano, acoustic bass and drums,
at a moderate tempo in 4/4. It is in Bb major and turns round and round on Bb, Gm7, Cm7 and F7.

genre: ["folk: 0.68"]
mood: ["happy"]
instruments: ["Fiddle", "Acoustic Guitar"]
time signature: "6/8"
tempo: [126, "Fast"]
key: "D major"
chords: [["D", "G", "A7"], 8]
duration: [58, "Short song"]
A happy little folk tune. Fiddle and acoustic guitar dance through a quick 6/8 in D major, mostly on D, G and A7,
and it is all over in under a minute.

genre: ["electronic: 0.9"]
mood: ["dark", "tense"]
instruments: ["Synth Lead", "Synth Bass", "Drums", "Synth Pad"]
time signature: "4/4"
tempo: [128, "Allegro"]
key: "A minor"
chords: [["Am", "F"], 31]
duration: [240, "Song"]
This electronic track is dark and tense. A synth lead cuts across synth bass, pads and drums at 128 bpm, while the
harmony goes back and forth between Am and F. It stays in A minor and in 4/4 from beginning to end.

genre: ["waltz: 0.7", "classical: 0.3"]
mood: ["romantic"]
instruments: ["String Ensemble", "Flute", "Orchestral Harp"]
time signature: "3/4"
tempo: [150, "Vivace"]
key: "G major"
chords: [["G", "D7", "G7"], 5]
duration: [133, "Song"]
A romantic waltz for string ensemble, flute and harp in G major. It whirls along at 150 bpm in 3/4.

genre: ["blues: 0.77"]
mood: ["emotional"]
instruments: ["Harmonica", "Electric Guitar", "Electric Bass", "Drums"]
time signature: "12/8"
tempo: [72, "Slow"]
key: "E major"
chords: [["E7", "A7", "B7"], 14]
duration: [195, "Song"]
A slow blues in E major that takes its time. Harmonica and electric guitar trade phrases above electric bass and
drums in a rolling 12/8, and the chords E7, A7 and B7 return in cycle after cycle. The mood is emotional.

genre: ["march: 0.83"]
mood: ["epic"]
instruments: ["Trumpet", "Trombone", "Tuba", "Drums"]
time signature: "2/4"
tempo: [116, "Allegro"]
key: "Bb major"
chords: [["Bb", "F7", "Eb"], 9]
duration: [101, "Short song"]
An epic march for trumpet, trombone, tuba and drums. Written in B-flat major and 2/4, it strides forward at 116
beats per minute, touching on Bb, F7 and Eb.

genre: ["ambient: 0.71"]
mood: ["dream", "meditative"]
instruments: ["Synth Pad", "Celesta"]
time signature: "4/4"
tempo: [60, "Slow"]
key: "F major"
chords: []
duration: [320, "Long piece"]
A long, slow ambient piece in which a celesta glimmers over soft synth pads. It is dreamy and meditative, and hardly
seems to move in its 4/4 at 60 bpm. The key is F major.

genre: ["bossa nova: 0.66", "jazz: 0.64"]
mood: ["relaxing", "romantic"]
instruments: ["Flute", "Acoustic Guitar", "Acoustic Bass", "Drums"]
time signature: "4/4"
tempo: [132, "Allegro"]
key: "C minor"
chords: [["Cm7", "Fm7", "G7"], 16]
duration: [148, "Song"]
Somewhere between bossa nova and jazz, this piece is relaxing in spite of its 132 bpm. The flute sings above
acoustic guitar, bass and light drums in C minor. Its progression Cm7, Fm7, G7 repeats all the way through in 4/4.

genre: ["chorale: 0.92"]
mood: ["solemn"]
instruments: ["Church Organ"]
time signature: "4/4"
tempo: [76, "Andante"]
key: "F minor"
chords: [["Fm", "C", "Db"], 4]
duration: [62, "Short song"]
A solemn chorale for church organ alone, in F minor. The 4/4 time and the walking pace of 76 bpm leave room for
every chord to ring.

genre: ["funk: 0.8"]
mood: ["groovy"]
instruments: ["Clavinet", "Slap Bass", "Brass Section", "Drums"]
time signature: "4/4"
tempo: [106, "Moderato"]
key: "E minor"
chords: [["Em7", "A7"], 40]
duration: [176, "Song"]
Clavinet and slap bass lock together in this groovy funk track, answered by bright stabs of the brass section over
the drums. It rides on Em7 and A7 again and again, in E minor, at 106 bpm in 4/4.

genre: ["soundtrack: 0.69", "classical: 0.4"]
mood: ["dramatic", "epic"]
instruments: ["String Ensemble", "French Horn", "Timpani", "Choir Aahs"]
time signature: "4/4"
tempo: [88, "Andante"]
key: "D minor"
chords: [["Dm", "Bb", "C"], 18]
duration: [204, "Song"]
A dramatic piece of film music on an epic scale. Strings and French horn rise over rolling timpani and a wordless
choir, in D minor and in 4/4. At a measured 88 bpm, the sequence Dm, Bb, C returns with growing weight.

genre: ["lullaby: 0.75"]
mood: ["soft", "calm"]
instruments: ["Music box"]
time signature: "3/4"
tempo: [72, "Andante"]
key: "C major"
chords: [["C", "G7", "C7"], 3]
duration: [41, "Short song"]
A music box plays this soft and calm lullaby in C major. It rocks gently in 3/4 at 72 bpm and lasts about forty
seconds.

genre: ["latin: 0.72"]
mood: ["party", "happy"]
instruments: ["Trumpet", "Piano", "Acoustic Bass", "Drums"]
time signature: "4/4"
tempo: [176, "Very fast"]
key: "A minor"
chords: [["Am", "Dm", "E7"], 22]
duration: [187, "Song"]
Trumpet and piano lead this very fast Latin number, made for a party. The acoustic bass and a busy battery of drums
keep the 4/4 boiling at 176 bpm. It is in A minor, and its loop of Am, Dm and E7 never lets go, yet the mood is
happy.

genre: ["polka: 0.86"]
mood: ["fun"]
instruments: ["Accordion", "Clarinet", "Tuba"]
time signature: "2/4"
tempo: [120, "Allegro"]
key: "F major"
chords: [["F", "C7", "Bb"], 7]
duration: [88, "Short song"]
A fun polka for accordion, clarinet and tuba, with the tuba on every beat of the 2/4. It hops along at 120 bpm in F
major.

genre: ["hip hop: 0.58", "soul: 0.5"]
mood: ["relaxing", "melancholic"]
instruments: ["Electric Piano", "Synth Bass", "Drums"]
time signature: "4/4"
tempo: [84, "Moderate tempo"]
key: "G# minor"
chords: [["G#m7", "C#m7"], 28]
duration: [150, "Song"]
A laid-back track with one foot in hip hop and the other in soul. Electric piano chords float over synth bass and
drums at 84 bpm, swaying between G#m7 and C#m7 throughout. The key of G-sharp minor adds a touch of melancholy to
the 4/4 beat.
"""


def _parse(text: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for block in text.strip().split("\n\n"):
        lines = block.splitlines()
        pairs.append(("\n".join(lines[:8]), " ".join(lines[8:])))
    return tuple(pairs)


EXAMPLES = _parse(_TEXT)  # (tag block, caption)
