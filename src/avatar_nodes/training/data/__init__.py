"""Training data: clips in shards, encoded clips, windows and snippets of them."""
