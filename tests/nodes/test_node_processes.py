"""A node's process: it says in one line what is wrong with it, and ends when it should."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import pytest
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from support.process_group import ProcessGroup
from support.spinner import Spinner, wait_until

from avatar_msgs.msg import StageStatus
from avatar_nodes.graph.environment import child_environment
from avatar_nodes.nodes.container import ContainerError, parse_nodes
from avatar_nodes.wire.qos import STAGES

MISCONFIGURED = 78
PATIENT_S = 600.0  # a machine may be busy; nothing here is about speed

SIZE = {"width": 64, "height": 64}
STEPS = {"sigmas": [1.0, 0.0], "steps": [0]}
STREAM = {"checkpoint": "/no/such", "stages": "[presenter]", "prompt": "a person"}


def command(kind: str, **parameters: object) -> list[str]:
    words = [sys.executable, "-m", f"avatar_nodes.nodes.{kind}", "--ros-args"]
    for name, value in parameters.items():
        words += ["-p", f"{name}:={value}"]
    return words


@pytest.mark.parametrize(
    ("kind", "parameters", "complaint"),
    [
        ("microphone", {"source": "file"}, "parameter file: expected a sound file"),
        ("microphone", {"source": "file", "file": "/no/such.wav"}, "such.wav: No such file"),
        ("microphone", {"source": "radio"}, "source: expected one of file, device, topic"),
        ("microphone", {"sample_rate": -5}, "parameter sample_rate"),
        ("microphone", {"sample_rate": "loud"}, "parameter sample_rate"),
        ("decoder", {"checkpoint": "/no/such", **SIZE}, "/no/such"),
        ("decoder", {"checkpoint": "/no/such", "height": 64}, "parameter width: expected a whole"),
        ("denoiser", {"checkpoint": "/no/such", **STEPS, **SIZE}, "/no/such"),
        ("conductor", {"mode": "render", **STREAM, **SIZE}, "pace: expected free"),
        ("recorder", SIZE, "parameter out: expected a text, got nothing (Video file to write"),
        ("recorder", {"out": "/no/such/folder/a.mp4", **SIZE}, "a.mp4: No such file"),
        ("presenter", {"qos_image": "BEST", **SIZE}, "qos_image: expected one of SYSTEM_DEFAULT"),
    ],
)
@pytest.mark.usefixtures("ros_domain")
def test_a_wrong_configuration_is_one_line_and_its_own_exit_code(
    kind: str, parameters: dict[str, object], complaint: str
) -> None:
    done = subprocess.run(
        command(kind, **parameters), env=child_environment(), capture_output=True, text=True,
        timeout=PATIENT_S, check=False,
    )  # fmt: skip
    output = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    assert done.returncode == MISCONFIGURED, output
    assert [complaint in line for line in output] == [True], output


def _status(spinner: Spinner) -> list[StageStatus]:
    heard: list[StageStatus] = []
    node = spinner.create_node("listener")
    node.create_subscription(StageStatus, "stages", heard.append, STAGES)
    return heard


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_when_told(processes: ProcessGroup, spinner: Spinner, number: signal.Signals) -> None:
    heard = _status(spinner)
    child = processes.start(command("microphone"), name="microphone")
    wait_until(lambda: any(status.ready for status in heard), what="a ready microphone")
    child.send_signal(number)
    assert child.wait(PATIENT_S) == 0
    assert "Traceback" not in processes.log("microphone")


def test_ends_with_its_parent(processes: ProcessGroup, spinner: Spinner, tmp_path: Path) -> None:
    heard = _status(spinner)
    note = tmp_path / "pid"
    script = f"{' '.join(command('microphone'))} & echo $! > {note}; wait"
    parent = processes.start(["bash", "-c", script], name="parent")
    wait_until(lambda: any(status.ready for status in heard), what="a ready microphone")
    child = int(note.read_text())
    parent.kill()
    parent.wait()
    wait_until(lambda: not _runs(child), what="the orphan to end")


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return b"zombie" not in Path(f"/proc/{pid}/status").read_bytes()


def test_a_node_that_does_not_start_by_itself_is_managed(
    processes: ProcessGroup, spinner: Spinner
) -> None:
    heard = _status(spinner)
    processes.start(command("microphone", autostart="false"), name="microphone")
    node = spinner.create_node("manager")
    change = node.create_client(ChangeState, "/microphone/change_state")
    look = node.create_client(GetState, "/microphone/get_state")
    assert change.wait_for_service(PATIENT_S) and look.wait_for_service(PATIENT_S)

    def state() -> int:
        for _ in range(24):  # the very first answer can be lost: its way back is found later
            future = look.call_async(GetState.Request())
            with suppress(AssertionError):
                wait_until(future.done, what="the node's state", seconds=5.0)
                return int(future.result().current_state.id)
        raise AssertionError("the node does not tell its state")

    def go(transition: int, target: int) -> None:
        """That answer can be lost, too: the state tells all the same."""
        future = change.call_async(ChangeState.Request(transition=Transition(id=transition)))
        wait_until(lambda: future.done() or state() == target, what=f"state {target}")
        assert not future.done() or future.result().success
        assert state() == target

    assert state() == State.PRIMARY_STATE_UNCONFIGURED
    assert not any(status.ready for status in heard)
    for round_number in range(2):
        go(Transition.TRANSITION_CONFIGURE, State.PRIMARY_STATE_INACTIVE)
        go(Transition.TRANSITION_ACTIVATE, State.PRIMARY_STATE_ACTIVE)
        wait_until(lambda: bool(heard) and heard[-1].ready, what=f"ready, round {round_number}")
        go(Transition.TRANSITION_DEACTIVATE, State.PRIMARY_STATE_INACTIVE)
        wait_until(lambda: not heard[-1].ready, what=f"paused, round {round_number}")
        go(Transition.TRANSITION_CLEANUP, State.PRIMARY_STATE_UNCONFIGURED)
    instances = [instance for instance, _ in groupby(status.instance for status in heard)]
    assert len(instances) == len(set(instances)) == 3, "another one after each deactivation"


def test_a_container_s_nodes_are_checked() -> None:
    assert parse_nodes("a:denoiser,b:decoder") == [("a", "denoiser"), ("b", "decoder")]
    for wrong in ("", "a", "a:b:c", "a:nothing", ":decoder", "a:decoder,a:denoiser"):
        with pytest.raises(ContainerError):
            parse_nodes(wrong)


@pytest.mark.usefixtures("ros_domain")
def test_a_container_says_what_is_wrong() -> None:
    words = [sys.executable, "-m", "avatar_nodes.nodes.container", "--nodes", "a:nothing"]
    done = subprocess.run(
        words, env=child_environment(), capture_output=True, text=True, timeout=PATIENT_S,
        check=False,
    )  # fmt: skip
    assert done.returncode == MISCONFIGURED
    assert done.stderr.count("\n") == 1
    assert "'a:nothing': expected NAME:KIND" in done.stderr
