"""The common parts of every training run: folder, log, saved state, processes, optimizers."""
