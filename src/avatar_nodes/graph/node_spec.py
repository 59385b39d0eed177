"""One node of the graph, and one process of it, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from avatar_nodes.graph.environment import LIGHT_SEGMENT_BYTES
from avatar_nodes.profile.secrets import PAGE_SECRETS, server_keys
from avatar_nodes.profile.settings import NodeSettings, ParameterValue


@dataclass(frozen=True)
class NodeSpec:
    """One ROS node.

    `kind` names its module (`avatar_nodes.nodes.<kind>`) and its executable; `remappings` leads the
    node's own topic names to the graph's; `process` is the process that it lives in; `threads` are
    those that its arithmetic may use. What it
    publishes waits for its readers in `segment_bytes` of shared memory.
    """

    name: str
    kind: str
    settings: NodeSettings
    process: str
    remappings: Mapping[str, str] = field(default_factory=dict)
    threads: int = 1
    respawn: bool = True
    segment_bytes: int = LIGHT_SEGMENT_BYTES

    @property
    def parameters(self) -> dict[str, ParameterValue]:
        """Its ROS parameters."""
        return self.settings.parameters()

    @property
    def secrets(self) -> frozenset[str]:
        """Environment variables with secrets that it needs."""
        own = server_keys(self.settings)
        return own | PAGE_SECRETS if self.kind == "kiosk" else own


@dataclass(frozen=True)
class ProcessSpec:
    """One operating system process and the nodes that share it, in the order of the data flow.

    `withheld`: environment variables with secrets, of which its nodes need none.
    """

    name: str
    nodes: tuple[NodeSpec, ...]
    withheld: frozenset[str] = frozenset()

    @property
    def respawn(self) -> bool:
        """Started again when it ends by itself."""
        return all(node.respawn for node in self.nodes)

    @property
    def ends_graph(self) -> bool:
        """Its regular end (exit code 0) means that the graph's work is done."""
        return any(node.kind == "recorder" for node in self.nodes)

    @property
    def threads(self) -> int:
        """CPU threads that its arithmetic may use."""
        return max(node.threads for node in self.nodes)

    @property
    def segment_bytes(self) -> int:
        """Shared memory of its one DDS participant."""
        return sum(node.segment_bytes for node in self.nodes)
