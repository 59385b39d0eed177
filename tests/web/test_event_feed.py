"""Who listens is told; a state may be told later, and is not told when another came first."""

from __future__ import annotations

import asyncio
from typing import Any

from avatar_nodes.web.event_feed import Event, EventFeed


def state(name: str, block: int = 0) -> dict[str, Any]:
    return {"type": "state", "state": name, "block": block}


def told(*puts: tuple[Event, float]) -> list[Any]:
    """What a page is told of states that come one right after another, each in so many seconds."""

    async def run() -> list[Any]:
        feed = EventFeed()
        reader = feed.join(lambda event: True)
        for event, in_s in puts:
            feed.put_state(event, in_s)
        longest_s = max(in_s for _, in_s in puts)
        await asyncio.sleep(longest_s + 0.05)
        feed.put({"type": "end"})
        found = []
        while (event := await reader.next())["type"] != "end":
            found.append((event["state"], event["block"]))
        return found

    return asyncio.run(run())


def test_a_state_is_told_in_its_time() -> None:
    assert told((state("thinking"), 0.0), (state("speaking"), 0.02)) == [
        ("thinking", 0), ("speaking", 0),
    ]  # fmt: skip


def test_progress_does_not_put_it_off() -> None:
    puts = [(state("speaking", block), 0.05 + 0.1 * block) for block in range(5)]
    assert told(*puts) == [("speaking", 0)]


def test_another_state_takes_its_place() -> None:
    assert told((state("speaking"), 0.05), (state("listening"), 0.0)) == [("listening", 0)]
    assert told((state("speaking"), 0.05), (state("idle"), 0.1)) == [("idle", 0)]


def test_who_comes_late_is_told_how_things_stand() -> None:
    async def run() -> None:
        feed = EventFeed()
        feed.put_state(state("idle", 3), 0.0)
        feed.put({"type": "caption", "text": "before"})
        reader = feed.join(lambda event: True)
        assert await reader.next() == state("idle", 3)
        assert not reader._events

    asyncio.run(run())
