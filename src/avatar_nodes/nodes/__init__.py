"""The ROS nodes: parameters, topics and callbacks."""
