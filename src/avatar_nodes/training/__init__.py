"""Training: the tiny world, data sets, losses and loops. Never imports rclpy."""
