"""Benchmarks: of speed, of conversations, of the page, of the watermark."""
