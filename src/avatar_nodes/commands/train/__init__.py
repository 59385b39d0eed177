"""`avatar train`, the stages that belong together in one file."""
