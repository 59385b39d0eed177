"""Speech without ROS: sound files, sources, and how sound is cut into blocks."""
