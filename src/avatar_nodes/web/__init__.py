"""The web page of an avatar: its server, sessions, WebRTC and fallback; no ROS."""
