"""Measures of what the model makes, from pixels and sound. Never imports rclpy."""
