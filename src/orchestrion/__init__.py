"""Orchestrion: generate, arrange, edit, describe and find music."""

__version__ = "0.1.0"
