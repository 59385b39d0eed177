"""Parts of nodes: life cycle, heartbeat, telemetry, parameters, and others that need ROS."""
