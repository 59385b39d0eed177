"""Denoises blocks: a stage holds some of the steps and key-value caches of its own."""
