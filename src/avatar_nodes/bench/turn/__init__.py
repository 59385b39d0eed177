"""Benchmark of a conversation: how soon the avatar answers and stops."""
