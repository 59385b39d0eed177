"""Which process the watchdog has killed, when, and what it says of the whole."""

from __future__ import annotations

from typing import Any

import pytest

from avatar_nodes.graph.graph import Graph
from avatar_nodes.graph.watchdog import Health, Hold, Watchdog
from avatar_nodes.profile import load_profile, with_values

STEP_S = 0.1
BLOCK_S = 0.5
EPOCH = 7
PATH = ("conductor", "denoiser_1", "denoiser_2", "decoder", "presenter")


class Avatar:
    """Nodes that live and make blocks, unless a test says otherwise; and whoever watches them.

    `silent`, `inactive`, `strayed`: names of nodes that say nothing, are deactivated, or are not in
    the epoch. `stuck`: the last block that a station gives out.
    """

    def __init__(self, profile: dict[str, Any] | None = None, **options: Any) -> None:
        loaded = with_values(load_profile("tiny"), profile or {})
        self.graph = Graph.from_profile(loaded, **{"mode": "puppet", **options})
        self.watchdog = Watchdog(self.graph)
        self.now, self.block, self.frames, self.issues = 1000.0, -1, 0, True
        self.silent: set[str] = set()
        self.inactive: set[str] = set()
        self.strayed: set[str] = set()
        self.stuck: dict[str, int] = {}
        self.pids = {process.name: 1 for process in self.graph.processes}
        self.holds: list[tuple[float, Hold]] = []
        self.health = Health(False, "")

    def run(self, seconds: float) -> None:
        """Let that much time pass."""
        for _ in range(round(seconds / STEP_S)):
            self.now += STEP_S
            self._speak()
            self.health, hold = self.watchdog.check(self.now, self.pids)
            if hold is not None:
                self.holds.append((self.now, hold))

    def until_held(self, seconds: float = 60.0) -> tuple[float, Hold]:
        """The next process that is to be killed, and after how long."""
        begun, count = self.now, len(self.holds)
        while len(self.holds) == count:
            assert self.now - begun < seconds, self.health.message
            self.run(STEP_S)
        return self.now - begun, self.holds[-1][1]

    def start_again(self, process: str) -> None:
        self.pids[process] += 1

    def _speak(self) -> None:
        if self.issues and not (self.silent or self.inactive or self.strayed or self.stuck):
            block = int((self.now - 1000.0) / BLOCK_S)
            if block > self.block:
                self.block, self.frames = block, self.frames + 12
        if "presenter" not in self.silent:
            self.watchdog.presented(block=self.block, frames=self.frames, now=self.now)
        for node in self.graph.nodes:
            name = node.name
            if name in self.silent:
                continue
            active = name not in self.inactive
            there = active and name not in self.strayed
            self.watchdog.status(name, ready=there, now=self.now)
            blocks = {"block": str(self.stuck.get(name, self.block))} if name in PATH else {}
            values = {"active": str(active), "ready": str(there), "epoch": str(EPOCH * there)}
            self.watchdog.report(name, values | blocks, self.now)


@pytest.fixture
def avatar() -> Avatar:
    """One that has run for a while."""
    avatar = Avatar()
    avatar.run(10.0)
    assert avatar.holds == []
    return avatar


def test_a_picture_that_moves_is_well(avatar: Avatar) -> None:
    avatar.run(100.0)
    assert avatar.holds == []
    assert avatar.health.healthy
    assert avatar.health.message == f"block {avatar.block} was presented"
    assert (avatar.health.block, avatar.health.restarts) == (avatar.block, 0)


def test_one_that_starts_is_not_well_and_nobody_is_killed() -> None:
    avatar = Avatar()
    avatar.silent = {"denoiser_1"}
    avatar.run(60.0)
    assert avatar.holds == []
    assert not avatar.health.healthy
    assert avatar.health.message == "starting; denoiser_1 is not ready"


@pytest.mark.parametrize("name", ["denoiser_1", "decoder", "presenter", "microphone"])
def test_a_node_without_signs_of_life_is_killed(avatar: Avatar, name: str) -> None:
    avatar.silent = {name}
    avatar.run(3.0)
    assert not avatar.health.healthy
    assert f"{name} gives no sign of life" in avatar.health.message
    after, hold = avatar.until_held()
    assert hold.process == name
    assert 3.0 + after == pytest.approx(5.0, abs=2 * STEP_S)
    avatar.run(4.5)
    assert len(avatar.holds) == 1, "once is enough"


def test_one_that_starts_again_has_time_and_then_all_is_well(avatar: Avatar) -> None:
    avatar.silent = {"decoder"}
    avatar.until_held()
    avatar.start_again("decoder")
    avatar.run(60.0)
    assert len(avatar.holds) == 1
    assert "decoder is not ready" in avatar.health.message
    avatar.silent = set()
    avatar.run(3.0)
    assert avatar.health.healthy
    assert avatar.health.restarts == 1


def test_when_nothing_is_heard_of_anybody_it_is_us(avatar: Avatar) -> None:
    avatar.silent = {node.name for node in avatar.graph.nodes}
    avatar.run(60.0)
    assert avatar.holds == []
    assert not avatar.health.healthy


def test_all_in_one_process_may_stand_still(avatar: Avatar) -> None:
    avatar = Avatar(placement="single")
    avatar.run(10.0)
    avatar.silent = {node.name for node in avatar.graph.nodes}
    assert avatar.until_held()[1].process == "all"


def test_what_was_not_heard_while_the_machine_slept_counts_for_nobody(avatar: Avatar) -> None:
    avatar.now += 300.0
    avatar.run(20.0)
    assert avatar.holds == []
    assert avatar.health.healthy


@pytest.mark.parametrize(
    ("behind", "holder"),
    [(["denoiser_1", "denoiser_2", "decoder", "presenter"], "denoiser_1"),
     (["denoiser_2", "decoder", "presenter"], "denoiser_2"), (["decoder", "presenter"], "decoder"),
     (["presenter"], "presenter")],
)  # fmt: skip
def test_the_first_that_lags_behind_holds_the_picture(
    avatar: Avatar, behind: list[str], holder: str
) -> None:
    avatar.stuck = dict.fromkeys(behind, avatar.block - 2)
    after, hold = avatar.until_held()
    assert after == pytest.approx(10.0, abs=1.0)
    assert hold.process == holder
    assert f"{holder} has not made block {avatar.block}" in hold.reason


def test_a_station_that_lost_the_epoch_holds_the_picture(avatar: Avatar) -> None:
    avatar.strayed = {"denoiser_2"}
    assert avatar.until_held()[1].process == "denoiser_2"


def test_a_conductor_that_issues_nothing_holds_the_picture(avatar: Avatar) -> None:
    avatar.issues = False
    assert avatar.until_held()[1].process == "conductor"


def test_if_one_restart_does_not_help_another_may(avatar: Avatar) -> None:
    avatar.stuck = {"decoder": avatar.block - 1, "presenter": avatar.block - 1}
    killed = []
    for _ in range(6):
        killed.append(avatar.until_held()[1].process)
        avatar.start_again(killed[-1])
    assert killed == ["decoder", "conductor", "denoiser_1", "denoiser_2", "presenter", "decoder"]


def test_whoever_deactivates_a_node_wants_it_so(avatar: Avatar) -> None:
    avatar.inactive = {"decoder"}
    avatar.run(100.0)
    assert avatar.holds == []
    assert "decoder is not ready" in avatar.health.message
    avatar.inactive = set()
    avatar.run(3.0)
    assert avatar.health.healthy


def test_slow_blocks_are_no_stall() -> None:
    avatar = Avatar()
    avatar.run(0.2)
    avatar.issues = False
    for block in range(6):
        avatar.run(8.0)
        avatar.block, avatar.frames = block, avatar.frames + 12
    avatar.run(20.0)
    assert avatar.holds == []
    assert avatar.until_held()[0] == pytest.approx(4.0, abs=1.0), "three times as long"


def test_a_stream_that_waits_for_sound_may_stand() -> None:
    avatar = Avatar({"stream": {"idle": "hold"}})
    avatar.run(10.0)
    avatar.issues = False
    avatar.run(60.0)
    assert avatar.holds == []
    assert avatar.health.healthy
    avatar.stuck = {"decoder": avatar.block - 1}
    avatar.watchdog.presented(block=avatar.block - 1, frames=avatar.frames, now=avatar.now)
    avatar.block -= 1
    avatar.stuck = {"conductor": avatar.block + 1}
    assert avatar.until_held()[1].process == "denoiser_1"


def test_a_stream_that_has_ended_is_well(avatar: Avatar) -> None:
    avatar.issues = False
    avatar.watchdog.finished(over=True)
    avatar.run(60.0)
    assert avatar.holds == []
    assert avatar.health.healthy
    assert avatar.health.message == "the stream has ended"


def test_nothing_is_killed_where_it_may_not(avatar: Avatar) -> None:
    for profile in (
        {"restart": {"silence_s": 0.0, "stall_s": 0.0}},
        {"restart": {"respawn": False}},
    ):
        avatar = Avatar(profile)
        avatar.run(10.0)
        avatar.silent = {"decoder"}
        avatar.run(60.0)
        avatar.silent, avatar.issues = set(), False
        avatar.run(60.0)
        assert avatar.holds == []
        assert not avatar.health.healthy


def test_the_station_of_another_machine_is_left_to_that_machine(avatar: Avatar) -> None:
    avatar.watchdog = Watchdog(avatar.graph.part(without=["denoiser_2"]))
    del avatar.pids["denoiser_2"]
    avatar.run(10.0)
    assert avatar.health.healthy
    avatar.stuck = dict.fromkeys(["denoiser_2", "decoder", "presenter"], avatar.block - 1)
    avatar.run(60.0)
    assert avatar.holds == []
    assert "the picture has stood still" in avatar.health.message


def test_nobody_depends_on_the_page() -> None:
    avatar = Avatar({"kiosk": {"enabled": True}})
    avatar.run(10.0)
    del avatar.pids["kiosk"]
    avatar.run(1.0)
    assert avatar.health.healthy
    assert avatar.health.message.endswith("; kiosk is not running")


def test_anybody_may_report_anything(avatar: Avatar) -> None:
    for text in ("", "-", "one", "9" * 40, "-5", "¹", "1e9"):
        avatar.watchdog.report("decoder", {"block": text, "epoch": text, "active": text}, 0.0)
    avatar.watchdog.presented(block=-(2**62), frames=2**63, now=avatar.now)
    avatar.run(10.0)
    assert avatar.health.healthy
