"""Real talking-head videos, checked and cut into clips."""
