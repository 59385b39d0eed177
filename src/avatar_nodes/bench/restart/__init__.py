"""Benchmark of accidents: how soon the picture moves again when a process is killed."""
