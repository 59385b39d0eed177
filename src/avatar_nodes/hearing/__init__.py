"""Turns captured sound into utterances: echo, voice activity, turns, recognition."""
