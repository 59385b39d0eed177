"""One avatar on two machines: page, sound and decisions on one, the denoisers on the other."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.process_group import ProcessGroup
from support.tiny_checkpoint import write_tiny_profile
from support.two_hosts import two_hosts
from support.waiting import wait_until

PROCESSES = "body: [conductor, decoder, presenter]"
DENOISERS = ("denoiser_1", "denoiser_2")

# Counts 75 pictures of the page's stream: three seconds of them.
_WATCH = """
import http.client
connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=120)
connection.request("GET", "/stream.mjpg")
stream, seen = connection.getresponse(), 0
while seen < 75:
    seen += stream.readline().startswith(b"--frame")
print("seen", seen)
"""


@pytest.mark.parametrize("discovery", ["subnet", "peers"])
def test_the_denoisers_run_on_another_host(
    discovery: str, checkpoint: Path, tmp_path: Path, processes: ProcessGroup, ros_domain: int
) -> None:
    profile = write_tiny_profile(tmp_path, checkpoint, processes=PROCESSES)
    with profile.open("a") as file:  # its pictures are too small for a label
        file.write("kiosk: {label: false}\narchive: {label: false}\n")
    up = [sys.executable, "-m", "avatar_nodes.cli", "up", "--profile", profile, "--kiosk"]
    with two_hosts() as (front, back):
        env = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}
        if discovery == "peers":  # no multicast between them
            env = {
                "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
                "ROS_STATIC_PEERS": f"{front.address};{back.address}",
            }
        named = [word for name in DENOISERS for word in ("--only", name)]
        left_out = [word for name in DENOISERS for word in ("--without", name)]
        processes.start(back.command([*up, *named]), name="back", env=env)
        processes.start(front.command([*up, *left_out]), name="front", env=env)
        try:
            wait_until(lambda: "ready: the avatar" in processes.log("front"), what="the avatar")
            assert "denoiser" not in processes.log("front")
            watch = front.command([sys.executable, "-c", _WATCH])
            watcher = processes.start(watch, name="watch", env=env)
            wait_until(lambda: watcher.poll() is not None, what="pictures")
            assert "seen 75" in processes.log("watch")
        finally:
            print(processes.log("front"), processes.log("back"))
            processes.stop()
