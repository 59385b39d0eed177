"""Memory of a conversation's processes, measured when every node of it has worked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from avatar_nodes.client.scripted_conversation import TOPIC, ScriptedConversation
from avatar_nodes.graph.graph import Graph
from avatar_nodes.machine.process_usage import Memory, memory_of
from avatar_nodes.profile import Profile


@dataclass(frozen=True)
class ProcessMemory:
    """One process of the graph: the nodes that live in it, and its memory."""

    nodes: Sequence[str]
    memory: Memory

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"nodes": list(self.nodes)} | asdict(self.memory)


def conversation_memory(
    profile: Profile,
    question: Path,
    *,
    namespace: str,
    on_line: Callable[[str, str], None],
    **graph: Any,
) -> dict[str, ProcessMemory]:
    """Start the conversation of `profile`, ask it the question in a sound file, and read the memory
    of each process when the answer was heard to its end.

    on_line: called with who says what. graph: options of `Graph.from_profile`.

    Raises:
        VisitorError, AudioFileError: the graph did not start, or there was no answer.
    """
    described = Graph.from_profile(
        profile, mode="converse", namespace=namespace, audio=f"topic:{TOPIC}", **graph
    )
    found: dict[str, Memory] = {}

    def measure(pids: Mapping[str, int]) -> None:
        found.update(memory_of(pids))

    ScriptedConversation(
        described, [question], on_line=on_line, at_end=measure, log_level="warn", own_namespace=True
    ).run()
    return {
        process.name: ProcessMemory([node.name for node in process.nodes], found[process.name])
        for process in described.processes
        if process.name in found
    }
