"""The parts of a prompt with a grammar of their own, in the order in which they are read."""

from __future__ import annotations

from orchestrion.representations.prompt_keys import read_chords, read_key
from orchestrion.representations.prompt_time import read_length, read_metre, read_tempo
from orchestrion.representations.prompt_unserved import read_unserved

PATTERNS = (read_unserved, read_length, read_chords, read_key, read_tempo, read_metre)
