"""Measures the quality of the model from pixels and sound. Never imports rclpy."""
