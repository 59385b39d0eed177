"""What every node shares: life cycle, heartbeat, telemetry, parameters."""
