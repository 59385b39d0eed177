"""Trains the models: stages, the data and losses that they share, their loop. No rclpy."""
