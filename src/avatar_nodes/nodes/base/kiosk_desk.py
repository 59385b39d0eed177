"""Passes on what browsers ask of the avatar, as topics, services and actions."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from std_srvs.srv import SetBool, Trigger

from avatar_msgs.action import Say
from avatar_msgs.msg import Utterance
from avatar_msgs.srv import SetPersona, SetPrompt, SetReference
from avatar_nodes.conducting.turn_numbers import TurnNumbers
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.web.browser_microphone import RATE
from avatar_nodes.web.desk import Answer
from avatar_nodes.wire import topics
from avatar_nodes.wire.audio import audio_to_msg
from avatar_nodes.wire.declaration import Service

_PATIENCE_S = 10.0
_REMEMBERED_TURNS = 64


class KioskDesk:
    """The `Desk` of the web server: its methods are called on the server's event loop, while the
    node's executor runs in another thread. Publishers and clients may be used from both."""

    def __init__(self, node: AvatarNode) -> None:
        self._node = node
        self._sound = node.publisher(topics.AUDIO_IN)
        self._utterance = node.publisher(topics.UTTERANCE)
        self._clients: dict[str, tuple[Any, Callable[[Any], Any]]] = {
            name: (service.client(node, node.KIND), request)
            for name, (service, request) in _ORDERS.items()
        }
        self._say: Any = topics.SAY.client(node, node.KIND)
        self.turns = TurnNumbers()
        self._written: deque[int] = deque(maxlen=_REMEMBERED_TURNS)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Nothing can be asked any more."""
        self._say.destroy()
        for client, _ in self._clients.values():
            self._node.destroy_client(client)

    def hear(
        self, samples: np.ndarray, *, stream: str, first_sample: int, end_of_stream: bool = False
    ) -> None:
        """Desk: sound of a browser's microphone."""
        msg = audio_to_msg(
            samples, stream=stream, sample_rate=RATE, first_sample=first_sample,
            end_of_stream=end_of_stream,
        )  # fmt: skip
        msg.header.stamp = self._node.get_clock().now().to_msg()
        msg.header.frame_id = "browser"
        self._sound.publish(msg)

    def ask(self, text: str) -> int:
        """Desk: what a visitor wrote counts as what he might have said."""
        turn = self.turns.take()
        with self._lock:
            self._written.append(turn)
        msg = Utterance(turn=turn, text=text, is_final=True, confidence=-1.0)
        msg.header.stamp = msg.start = msg.end = self._node.get_clock().now().to_msg()
        self._utterance.publish(msg)
        return turn

    def wrote(self, turn: int) -> bool:
        """Whether a turn was written here."""
        with self._lock:
            return turn in self._written

    async def request(self, name: str, value: str | bytes = "") -> Answer:
        """Desk: an operator's order."""
        if name == "say":
            return await self._let_say(str(value))
        client, request = self._clients[name]
        if not client.service_is_ready():
            return Answer(False, f"{client.srv_name} is not there: its node is not running")
        try:
            response = await self._wait(client.call_async(request(value)))
        except asyncio.TimeoutError:
            return Answer(False, f"{client.srv_name} did not answer within {_PATIENCE_S:.0f} s")
        return Answer(response.success, response.message)

    async def _let_say(self, text: str) -> Answer:
        if not self._say.server_is_ready():
            return Answer(False, "the avatar takes no text: it runs in mode puppet, or is not up")
        goal = Say.Goal(text=text, interrupt=True)
        try:
            handle = await self._wait(self._say.send_goal_async(goal))
        except asyncio.TimeoutError:
            return Answer(False, f"the avatar did not answer within {_PATIENCE_S:.0f} s")
        return Answer(handle.accepted, "" if handle.accepted else "the avatar refused it")

    async def _wait(self, future: Any) -> Any:
        """A ROS future's result, on this event loop. Raises asyncio.TimeoutError."""
        loop = asyncio.get_running_loop()
        here: asyncio.Future[Any] = loop.create_future()

        def settle() -> None:
            if here.done():
                return
            if error := future.exception():
                here.set_exception(error)
            else:
                here.set_result(future.result())

        future.add_done_callback(lambda _: loop.call_soon_threadsafe(settle))
        return await asyncio.wait_for(here, _PATIENCE_S)


def _reference(framing: int, picture: bytes) -> Any:
    request = SetReference.Request(framing=framing)
    request.image.frombytes(picture)
    return request


_ORDERS: dict[str, tuple[Service, Callable[[Any], Any]]] = {
    "interrupt": (topics.INTERRUPT, lambda _: Trigger.Request()),
    "reset": (topics.RESET, lambda _: Trigger.Request()),
    "prompt": (
        topics.SET_PROMPT, lambda text: SetPrompt.Request(prompt=text, cache_switch=True),
    ),
    "persona": (topics.SET_PERSONA, lambda name: SetPersona.Request(persona=name)),
    "person": (topics.SET_REFERENCE, lambda name: SetReference.Request(path=name)),
    "reference": (topics.SET_REFERENCE, partial(_reference, SetReference.Request.FACE)),
    "reference_middle": (topics.SET_REFERENCE, partial(_reference, SetReference.Request.MIDDLE)),
    "record": (topics.SET_RECORDING, lambda value: SetBool.Request(data=value == "start")),
}  # fmt: skip
"""An operator's orders: which service each asks, and with what."""
