"""Inference on an endless stream, block after block. No ROS here; the nodes and `Pipeline` use it
alike.
"""
