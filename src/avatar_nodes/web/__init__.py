"""Serves the web page of an avatar: server, sessions, WebRTC and fallback; no ROS."""
