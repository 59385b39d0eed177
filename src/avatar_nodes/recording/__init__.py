"""Writes pictures and sound into video files, and messages into MCAP files."""
