"""A talking, listening, acting avatar as a ROS 2 node graph."""
