"""What every training run has: folder, log, saved state, processes, optimizers."""
