"""What tests share: ROS domains, spinning nodes, and processes that end with their test."""
