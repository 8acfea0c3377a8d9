"""Listeners of our own: small networks that hear beats, chords and kinds of music, trained on rendered clips."""
