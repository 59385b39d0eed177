"""What nodes are made of: life cycle, heartbeat, telemetry, parameters, and parts that need ROS."""
