"""Names of instruments as MidiCaps' captions use them."""

from __future__ import annotations

DRUMS = 128
# General MIDI program (128 = drums) → name: the table of the MidiCaps pipeline (instruments.csv), which merges near kin.
NAMES = tuple(
    name.strip()
    for name in ["\nPiano", " Piano", " Electric Piano", " Honky-tonk Piano", " Piano", " Piano", " Harpsichord", " Clavinet", " Celesta", " Glockenspiel", "\nMusic box", " Vibraphone", " Marimba", " Xylophone", " Tubular Bells", " Dulcimer", " Hammond Organ", " Percussive Organ", " Rock Organ", "\nChurch Organ", " Reed Organ", " Accordion", " Harmonica", " Tango Accordion", " Acoustic Guitar", " Acoustic Guitar", " Electric Guitar", "\nClean Electric Guitar", " Electric Guitar", " Overdriven Guitar", " Distortion Guitar", " Guitar Harmonics", " Acoustic Bass", "\nElectric Bass", " Electric Bass", " Fretless Bass", " Slap Bass", " Slap Bass", " Synth Bass", " Synth Bass", " Violin", " Viola", " Cello", "\nContrabass", " Tremolo Strings", " Pizzicato Strings", " Orchestral Harp", " Timpani", " String Ensemble", " String Ensemble", "\nSynth Strings", " Synth Strings", " Choir Aahs", " Voice Oohs", " Synth Voice", " Orchestra Hit", " Trumpet", " Trombone", " Tuba", "\nMuted Trumpet", " French Horn", " Brass Section", " Synth Brass", " Synth Brass", " Soprano Saxophone", " Alto Saxophone", "\nTenor Saxophone", " Baritone Saxophone", " Oboe", " English Horn", " Bassoon", " Clarinet", " Piccolo", " Flute", " Recorder", " Pan Flute", "\nBottle Blow", " Shakuhachi", " Whistle", " Ocarina", " Synth Lead", " Synth Lead", " Calliope Lead", " Chiffer Lead", " Charang Lead", "\nSynth Voice", " Synth Lead", " Brass Lead", " Synth Pad", " Synth Pad", " Synth Pad", " Synth Pad", " Synth Pad", " Synth Pad", " Synth Pad", "\nSynth Pad", " Synth Effects", " Synth Effects", " Synth Effects", " Synth Effects", " Synth Effects", " Synth Effects", " Synth Effects", "\nSynth Effects", " Sitar", " Banjo", " Shamisen", " Koto", " Kalimba", " Bagpipe", " Fiddle", " Shana", " Tinkle Bell", " Agogo", " Steel Drums", "\nWoodblock", " Taiko Drum", " Melodic Tom", " Synth Drum", " Reverse Cymbal", " Guitar Fret Noise", " Breath Noise", " Seashore", "\nBird Tweet", " Telephone Ring", " Helicopter", " Applause", " Gunshot", " Drums\n"]
)


def instrument_name(program: int) -> str:
    """The name used in captions for a General MIDI program, 128 for drums.

    >>> instrument_name(0), instrument_name(34), instrument_name(128)
    ('Piano', 'Electric Bass', 'Drums')
    """
    return NAMES[program]
