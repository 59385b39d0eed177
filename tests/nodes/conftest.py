"""The tests of this folder need ROS."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="no ROS here")
