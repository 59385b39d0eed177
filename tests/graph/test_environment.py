"""Environments of child processes: ROS where it belongs, nothing of it elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.graph.environment import (
    child_environment,
    foreign_environment,
    sized_segment,
)
from avatar_nodes.profile.resources import ResourceError, share_directory, share_path

MARK = "_ROS_WHEELS_BOOTSTRAP_COMPLETE"
wheels_only = pytest.mark.skipif(
    not Path(sys.prefix, "share", "ament_index").is_dir(), reason="ROS does not come from wheels"
)


def test_child_gets_the_shipped_profile() -> None:
    assert child_environment({})["FASTDDS_DEFAULT_PROFILES_FILE"] == str(
        share_path("config", "fastdds.xml")
    )


def test_fast_dds_2_gets_it_under_its_name() -> None:
    env = child_environment({"ROS_DISTRO": "jazzy"})
    assert env["FASTRTPS_DEFAULT_PROFILES_FILE"].endswith("fastdds_2.xml")
    assert "FASTDDS_DEFAULT_PROFILES_FILE" not in env


def test_both_profiles_say_the_same() -> None:
    """Fast DDS 3 has another word for one element, and refuses a file with the old one."""

    def elements(file: str) -> list[tuple[str, str]]:
        root = ET.parse(share_path("config", file)).getroot()
        return [(each.tag, (each.text or "").strip()) for each in root.iter()]

    old = [(tag.replace("heartbeatPeriod", "heartbeat_period"), text)
           for tag, text in elements("fastdds_2.xml")]  # fmt: skip
    assert old == elements("fastdds.xml") != elements("fastdds_2.xml")


def test_user_keeps_his_own_profile() -> None:
    env = child_environment({"FASTDDS_DEFAULT_PROFILES_FILE": "/mine.xml"})
    assert env["FASTDDS_DEFAULT_PROFILES_FILE"] == "/mine.xml"


def test_a_home_that_the_system_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service of systemd without `User=` has no HOME."""
    monkeypatch.delenv("HOME")
    env = child_environment({})
    assert env["HOME"] == str(Path.home()) and "ROS_LOG_DIR" not in env


@pytest.mark.parametrize("home", ["/proc/none", "/dev/null"])
def test_ros_logs_where_it_can(home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not start without a folder; models may still be read from there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    env = child_environment({"HOME": home})
    own = tmp_path / f"avatar_{os.getuid()}"
    assert (env["HOME"], env["ROS_LOG_DIR"]) == (home, str(own / "log"))
    assert own.stat().st_mode & 0o777 == 0o700
    assert "ROS_LOG_DIR" not in child_environment({"HOME": home, "ROS_HOME": "/mine"})


def test_a_user_whom_the_system_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "getuid", lambda: 54_321)
    with pytest.raises(ConfigurationError, match="avatar_54321 is somebody else's: set HOME"):
        child_environment({})
    monkeypatch.setattr(tempfile, "tempdir", "/proc/none")
    with pytest.raises(ConfigurationError, match=r"^no place for files: set HOME or TMPDIR"):
        child_environment({})


def test_a_client_comes_up_without_a_home(tmp_path: Path) -> None:
    program = (
        "from avatar_nodes.client.client_node import ClientNode\n"
        "with ClientNode('x', '/y'): print('up')"
    )
    bare = {key: value for key, value in os.environ.items() if key not in ("HOME", "ROS_LOG_DIR")}
    for env in (bare, bare | {"HOME": "/proc/none", "TMPDIR": str(tmp_path)}):
        done = subprocess.run(
            [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False
        )
        assert (done.stdout, done.returncode) == ("up\n", 0), done.stderr


def test_ctrl_c_while_a_node_is_imported_is_no_error() -> None:
    program = "import avatar_nodes.nodes\nraise KeyboardInterrupt"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode in (130, -2) and done.stderr == ""


@wheels_only
def test_our_prefix_comes_first_and_once() -> None:
    before = os.pathsep.join(["/opt/ros/x", sys.prefix])
    env = child_environment({"AMENT_PREFIX_PATH": before})
    assert env["AMENT_PREFIX_PATH"].split(os.pathsep) == [sys.prefix, "/opt/ros/x"]


@wheels_only
def test_child_imports_rclpy_although_the_library_path_was_lost() -> None:
    """A process of ours that a foreign launcher has started keeps the mark, not the path."""
    broken = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
    broken[MARK] = "1"
    program = [sys.executable, "-c", "import rclpy"]
    assert subprocess.run(program, env=broken, capture_output=True, check=False).returncode != 0
    mended = child_environment(broken)
    assert subprocess.run(program, env=mended, check=False).returncode == 0


@wheels_only
def test_foreign_child_sees_nothing_of_ros() -> None:
    mine = os.pathsep.join([str(Path(sys.prefix, "lib")), "/usr/local/cuda/lib64"])
    env = foreign_environment({"LD_LIBRARY_PATH": mine, MARK: "1", "HOME": "/nowhere"})
    assert env == {"LD_LIBRARY_PATH": "/usr/local/cuda/lib64", "HOME": "/nowhere"}


@wheels_only
def test_ros_python_starts_from_a_foreign_environment() -> None:
    program = [sys.executable, "-c", "import rclpy"]
    assert subprocess.run(program, env=foreign_environment(), check=False).returncode == 0


def test_a_process_takes_the_shared_memory_that_it_was_given() -> None:
    program = (
        "import rclpy\n"
        "from avatar_nodes.graph.environment import sized_segment\n"
        "rclpy.init()\n"
        "with sized_segment(): node = rclpy.create_node('x')\n"
        "print(next(line for line in open('/proc/self/smaps_rollup') if 'Pss_Shmem' in line))\n"
    )
    taken = []
    for size in (3 << 20, 9 << 20):
        env = child_environment() | {"AVATAR_SEGMENT_BYTES": str(size)}
        done = subprocess.run(
            [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
        )
        taken.append(int(done.stdout.split()[1]) / 1024)
    assert taken == [pytest.approx(3, abs=1.5), pytest.approx(9, abs=1.5)]


def test_the_users_own_profile_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTDDS_DEFAULT_PROFILES_FILE", "/mine.xml")
    monkeypatch.setenv("AVATAR_SEGMENT_BYTES", "1000000")
    with sized_segment():
        assert os.environ["FASTDDS_DEFAULT_PROFILES_FILE"] == "/mine.xml"


def test_profile_disables_what_other_dds_makes_refuse() -> None:
    dds = {"dds": "http://www.eprosima.com"}
    root = ET.parse(share_path("config", "fastdds.xml")).getroot()
    properties = {
        node.findtext("dds:name", namespaces=dds): node.findtext("dds:value", namespaces=dds)
        for node in root.iterfind(".//dds:property", dds)
    }
    assert properties["fastdds.type_propagation"] == "disabled"


def test_missing_resource_is_named() -> None:
    with pytest.raises(ResourceError, match=r"no config/nothing\.yaml \(looked in "):
        share_path("config", "nothing.yaml")


def test_resources_do_not_lead_out() -> None:
    with pytest.raises(ResourceError, match="not a path within"):
        share_path("..", "..", "etc")


def test_share_directory_is_whole() -> None:
    assert {"config", "package.xml"} <= {path.name for path in share_directory().iterdir()}
