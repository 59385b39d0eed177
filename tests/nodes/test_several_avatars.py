"""Two avatars on one machine, each with a page of its own."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from support.http_client import ask
from support.process_group import ProcessGroup
from support.tiny_checkpoint import write_tiny_profile
from support.waiting import wait_until
from websockets.sync.client import connect

PROCESSES = "body: [microphone, conductor, denoiser_1, denoiser_2, decoder, presenter]"


def test_side_by_side_by_namespace_and_port(
    checkpoint: Path, tmp_path: Path, processes: ProcessGroup, ros_domain: int
) -> None:
    urls = []
    for name in ("left", "right"):
        folder = tmp_path / name
        folder.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        profile = write_tiny_profile(folder, checkpoint, processes=PROCESSES)
        with profile.open("a") as file:
            file.write(f"kiosk: {{enabled: true, port: {port}, title: {name}, label: false}}\n")
            file.write("archive: {label: false}\n")
        up = [sys.executable, "-m", "avatar_nodes.cli", "up", "--profile", profile]
        processes.start([*up, "--namespace", f"/{name}"], name=name)
        urls.append(f"http://127.0.0.1:{port}")
    for name, url in zip(("left", "right"), urls, strict=True):
        wait_until(lambda name=name: "ready: the avatar" in processes.log(name), what=name)
        assert ask(url, path="/api/about").json["title"] == name
        session = ask(url, "POST", "/api/sessions").json["id"]
        base = f"{url.replace('http', 'ws')}/api/sessions/{session}"
        with connect(f"{base}/events"), connect(f"{base}/media") as media:
            for _ in range(50):
                assert media.recv(timeout=120)


def test_a_page_whose_port_is_taken_says_so(
    checkpoint: Path, tmp_path: Path, processes: ProcessGroup, ros_domain: int
) -> None:
    profile = write_tiny_profile(tmp_path, checkpoint, processes=PROCESSES)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with profile.open("a") as file:
            file.write(f"kiosk: {{enabled: true, port: {port}, label: false}}\n")
            file.write("archive: {label: false}\n")
        up = [sys.executable, "-m", "avatar_nodes.cli", "up", "--profile", profile]
        avatar = processes.start(up, name="avatar")
        wait_until(lambda: avatar.poll() is not None, what="the end")
    assert avatar.returncode != 0
    assert f"port {port}: Address already in use" in processes.log("avatar")
