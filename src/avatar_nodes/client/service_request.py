"""Calls a service of a running avatar, or reads the latched message of a topic."""

from __future__ import annotations

import time
from typing import Any

from avatar_nodes.client.client_node import ClientNode
from avatar_nodes.wire.declaration import ANYBODY, Service, Topic

_LOOK_S = 0.1
_ASKED = 2  # times


class ServiceRequestError(RuntimeError):
    """The avatar is not there, or does not answer; one line."""


class ServiceRequest(ClientNode):
    """A node for a few questions; a context manager.

    namespace: the avatar's. timeout_s: how long to wait for each answer.
    """

    def __init__(self, namespace: str, *, timeout_s: float = 10.0) -> None:
        super().__init__("avatar_request", namespace)
        self._timeout_s = timeout_s

    def call(self, service: Service, request: Any) -> Any:
        """Call a service that may be called twice; returns its response.

        Asks again half-way: a service that has not matched its new client yet, on a busy machine,
        does what it is asked and its answer reaches nobody.

        Raises:
            ServiceRequestError: nobody offers it, or no answer came in time.
        """
        client: Any = service.client(self.node, ANYBODY)
        name = f"{self._namespace}/{service.name}"
        if not client.wait_for_service(self._timeout_s):
            raise ServiceRequestError(f"nobody offers {name} in this ROS_DOMAIN_ID")
        for _ in range(_ASKED):
            future = client.call_async(request)
            self.executor.spin_until_future_complete(future, self._timeout_s / _ASKED)
            if future.done() and future.result() is not None:
                return future.result()
        raise ServiceRequestError(f"{name} gave no answer")

    def latched(self, topic: Topic) -> Any:
        """The last message of a latched topic.

        Raises:
            ServiceRequestError: none came in time.
        """
        came: list[Any] = []
        topic.subscribe(self.node, ANYBODY, came.append)
        deadline = time.monotonic() + self._timeout_s
        while not came:
            if time.monotonic() > deadline:
                name = f"{self._namespace}/{topic.name}"
                raise ServiceRequestError(f"nobody publishes {name} in this ROS_DOMAIN_ID")
            self.executor.spin_once(timeout_sec=_LOOK_S)
        return came[-1]
