"""Writing what was seen and heard into a video file."""
