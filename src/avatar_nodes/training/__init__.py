"""Trains the models: stages, the data and losses they share, and their loop. Never imports rclpy."""
