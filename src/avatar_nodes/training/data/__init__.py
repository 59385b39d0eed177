"""What the stages learn from: clips in shards, encoded clips, windows and snippets of them."""
