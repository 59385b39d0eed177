"""Measures when each turn of a conversation passed which milestone."""
