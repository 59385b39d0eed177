"""Flow matching and distillation on windows of blocks, apart from any stage."""
