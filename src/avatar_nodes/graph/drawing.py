"""Draws a graph as a Mermaid or Graphviz diagram: its nodes, the processes they share, and who
publishes what to whom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from avatar_nodes.graph.graph import Graph
from avatar_nodes.graph.wiring import Wire, requests_of, wires_of
from avatar_nodes.wire import topics

WORLD = "outside"
_BREAK = r"\n"
_STATIONS = (
    "microphone", "listener", "reasoner", "voice", "realtime", "conductor", "denoiser", "decoder",
    "presenter",
)  # fmt: skip
_FORWARD = (
    topics.AUDIO_IN, topics.USER_AUDIO, topics.UTTERANCE, topics.REPLY, topics.SPEECH_AUDIO,
    topics.CONDITIONING, topics.LATENT_OUT, topics.FRAMES, topics.IMAGE_RAW, topics.AUDIO,
)  # fmt: skip


@dataclass(frozen=True)
class Arrow:
    """From one node to another, or from or to WORLD.

    labels: names of topics, or of services and actions that are asked for (`asks`).
    back: it goes against the order of the nodes, which is that of the data flow.
    """

    source: str
    target: str
    labels: tuple[str, ...]
    asks: bool
    back: bool


@dataclass(frozen=True)
class Drawing:
    """Nodes in the order of the data flow, with the process of those that share one ("" else), and
    arrows, those of the data flow first."""

    nodes: dict[str, str]
    arrows: tuple[Arrow, ...]

    @classmethod
    def of(cls, graph: Graph, *, forward: bool = False) -> Drawing:
        """Draw `graph`, without what every node publishes (`stages`, diagnostics, log).

        forward: only the way of a block, from the sound that comes in to the pictures that leave,
        and the credit that comes back; what nodes publish comes from them, not from outside, too.
        """
        order = {node.name: number for number, node in enumerate(graph.nodes)}
        ends = {node.name for node in graph.nodes if node.kind in _STATIONS or not forward}
        labels: dict[tuple[str, str, bool], list[str]] = {}
        for wire in wires_of(graph):
            for source, target in _pairs(wire, ends, forward=forward):
                if not forward or _is_forward(wire, back=_is_back(source, target, order)):
                    labels.setdefault((source, target, False), []).append(wire.name)
        for request in () if forward else requests_of(graph):
            for client in request.clients:
                names = labels.setdefault((client, request.server, True), [])
                names.append(request.declared.name)
        arrows = [
            Arrow(source, target, tuple(names), asks, _is_back(source, target, order))
            for (source, target, asks), names in labels.items()
        ]
        last = len(order)
        arrows.sort(  # layouts make those that come first go from left to right
            key=lambda arrow: (
                arrow.asks, arrow.back, order.get(arrow.source, -1), order.get(arrow.target, last)
            )
        )  # fmt: skip
        shared = {process.name for process in graph.processes if len(process.nodes) > 1}
        nodes = {
            node.name: node.process if node.process in shared and not forward else ""
            for node in graph.nodes
            if node.name in ends
        }
        return cls(nodes, tuple(arrows))

    def mermaid(self) -> str:
        """The text of a Mermaid flowchart; dotted arrows are services and actions."""
        lines = ["flowchart LR"]
        if any(arrow.source == WORLD for arrow in self.arrows):
            lines.append('    from_outside(["from outside"])')
        lines += [f'    {node}["{_box(node, home, "<br>")}"]' for node, home in self.nodes.items()]
        if any(arrow.target == WORLD for arrow in self.arrows):
            lines.append('    to_outside(["to anybody"])')
        for arrow in self.arrows:
            shaft, text = "-.->" if arrow.asks else "-->", "<br>".join(arrow.labels)
            source, target = _ends(arrow)
            lines.append(f'    {source} {shaft}|"{text}"| {target}')
        return "\n".join(lines) + "\n"

    def dot(self) -> str:
        """The text of a Graphviz digraph; dashed arrows are services and actions."""
        lines = ["digraph avatar {", "    rankdir=LR;", "    node [shape=box];"]
        lines += [f'    {node} [label="{_box(node, home, _BREAK)}"];'
                  for node, home in self.nodes.items()]  # fmt: skip
        for arrow in self.arrows:
            source, target = _ends(arrow)
            marks = [f'label="{_BREAK.join(arrow.labels)}"']
            marks += ["style=dashed"] if arrow.asks else []
            marks += ["constraint=false"] if arrow.back or arrow.asks else []
            lines.append(f"    {source} -> {target} [{', '.join(marks)}];")
        return "\n".join([*lines, "}"]) + "\n"


def _box(node: str, process: str, line_break: str) -> str:
    return f"{node}{line_break}in process {process}" if process else node


def _pairs(wire: Wire, ends: set[str], *, forward: bool) -> Iterable[tuple[str, str]]:
    """From whom to whom."""
    if wire.of_every_node:
        return ()
    sources = [name for name in wire.publishers if name in ends]
    if wire.open and not (forward and sources):
        sources.append(WORLD)
    targets = [name for name in wire.readers if name in ends] + [WORLD] * wire.public
    return ((source, target) for source, target in product(sources, targets) if source != target)


def _is_back(source: str, target: str, order: dict[str, int]) -> bool:
    return WORLD not in (source, target) and order[target] < order[source]


def _is_forward(wire: Wire, *, back: bool) -> bool:
    return wire.topic is topics.CREDIT if back else wire.topic in _FORWARD


def _ends(arrow: Arrow) -> tuple[str, str]:
    source = "from_outside" if arrow.source == WORLD else arrow.source
    return source, "to_outside" if arrow.target == WORLD else arrow.target
