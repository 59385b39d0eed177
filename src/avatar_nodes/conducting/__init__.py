"""Decides what each block is made of: epochs, credits, sound, prompts, sinks, turns."""
