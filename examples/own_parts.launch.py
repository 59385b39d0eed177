"""Launch the avatar with a reasoner, a voice and a viewer of one's own, its picture renamed."""

import sys
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import Node, SetRemap

NAMESPACE = "/guide"
SHARE = Path(get_package_share_directory("avatar_nodes"))
ARGUMENTS = {
    "namespace": NAMESPACE,
    "mode": "converse",
    "audio": "device:",
    "without": "reasoner,voice",  # ours stand in their places
}
REMAPPINGS = [("image_raw", "head/image_raw")]  # takes compressed and camera_info along


def own_node(name: str) -> Node:
    """A script of this folder as a node of the avatar's namespace."""
    script = Path(__file__).with_name(f"{name}.py")
    return Node(
        executable=sys.executable,
        arguments=[str(script)],
        namespace=NAMESPACE,
        remappings=REMAPPINGS,
        additional_env={"FASTDDS_DEFAULT_PROFILES_FILE": str(SHARE / "config" / "fastdds.xml")},
        output="both",
    )


def generate_launch_description() -> LaunchDescription:
    """SetRemap holds for all nodes of the include, and ends with the group."""
    avatar = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(SHARE / "launch" / "avatar.launch.py")),
        launch_arguments=ARGUMENTS.items(),
    )
    renamed = [SetRemap(src=old, dst=new) for old, new in REMAPPINGS]
    own = [own_node(name) for name in ("reasoner", "voice", "viewer")]
    return LaunchDescription([GroupAction([*renamed, avatar]), *own])
