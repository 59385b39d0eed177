"""Text: whether it has words, how it enters cleanly, and how it is read aloud."""
