"""Clips on disk: WebDataset tar files, the tiny world's and real ones alike."""
