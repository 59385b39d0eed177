"""Sound files, sound devices, and streams of samples."""
