"""Thinking: the states of the conversation, and what makes the avatar's replies. No ROS here."""
