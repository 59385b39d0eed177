"""Topics, services and actions as Markdown tables: of one graph, or all that are declared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from avatar_nodes.graph.wiring import Request, Wire
from avatar_nodes.wire.declaration import ANYBODY, EVERY_NODE, OBSERVER, Declaration, Reading
from avatar_nodes.wire.topics import REQUESTS, TOPICS

_RELIABILITY = {
    ReliabilityPolicy.SYSTEM_DEFAULT: "system default",
    ReliabilityPolicy.RELIABLE: "reliable",
    ReliabilityPolicy.BEST_EFFORT: "best effort",
}


def declared_wires() -> list[Wire]:
    """Every topic that is declared, with node kinds at its ends."""
    return [Wire(topic.name, topic.qos, topic, topic.publishers, topic.readers) for topic in TOPICS]


def declared_requests() -> list[Request]:
    """Every service and action that is declared, with node kinds."""
    return [Request(each, ", ".join(each.servers), each.clients) for each in REQUESTS]


def topic_tables(wires: Iterable[Wire], requests: Iterable[Request]) -> str:
    """Two Markdown tables: of topics, and of services and actions."""
    rows = [
        (_code(wire.name), _type(wire.topic), _qos(wire.qos), _publishers(wire),
         _ends(wire.readers, wire.public), wire.topic.meaning + _deviations(wire))
        for wire in wires
    ]  # fmt: skip
    asked = [
        (_code(each.declared.name), _type(each.declared), each.server,
         _ends(each.clients, ANYBODY in each.declared.clients), each.declared.meaning)
        for each in requests
    ]  # fmt: skip
    return "\n".join([
        *_table(("topic", "type", "QoS", "from", "to", "meaning"), rows),
        "",
        *_table(("service or action", "type", "served by", "asked by", "meaning"), asked),
        "",
    ])  # fmt: skip


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _code(name: str) -> str:
    return f"`{name}`"


def _type(declared: Declaration) -> str:
    return f"{declared.type.__module__.split('.')[0]}/{declared.type.__name__}"


def _qos(profile: QoSProfile) -> str:
    latched = profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
    kind = "latched" if latched else _RELIABILITY[profile.reliability]
    return f"{kind}, {profile.depth}"


def _publishers(wire: Wire) -> str:
    if wire.of_every_node:
        return EVERY_NODE
    told = wire.open and OBSERVER in wire.topic.publishers
    names = dict.fromkeys([*wire.publishers, *([OBSERVER] if told else [])])
    return _ends(list(names), wire.open and not told)


def _ends(names: Sequence[str], anybody: bool) -> str:
    all_names = [*names, *([ANYBODY] if anybody and ANYBODY not in names else [])]
    return ", ".join(all_names) or "under another name"


def _deviations(wire: Wire) -> str:
    """Who reads it otherwise than it is published, and why."""
    readers: dict[Reading, list[str]] = {}
    for reader in wire.readers:
        if (reading := wire.topic.reading.get(reader)) is not None:
            readers.setdefault(reading, []).append(reader)
    return "".join(
        f" {', '.join(names).capitalize()}: {_qos(reading.qos)}, since {reading.reason}."
        for reading, names in readers.items()
    )
