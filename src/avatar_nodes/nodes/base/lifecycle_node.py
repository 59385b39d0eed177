"""The base of every node of the graph: a managed node that starts by itself and survives bad
messages."""

from __future__ import annotations

import inspect
import time
import traceback
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar, cast, get_args

from builtin_interfaces.msg import Time
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher, State, TransitionCallbackReturn
from rclpy.logging import LoggingSeverity
from rclpy.parameter import Parameter
from rclpy.service import Service as ServiceServer
from rclpy.subscription import Subscription

from avatar_msgs.msg import EpochStart
from avatar_nodes.errors.configuration_error import EXIT_MISCONFIGURED, ConfigurationError
from avatar_nodes.errors.refused_error import LeftoverError, RefusedError
from avatar_nodes.nodes.base.heartbeat import Heartbeat
from avatar_nodes.nodes.base.limited_log import LimitedLogger
from avatar_nodes.nodes.base.parameters import declare_parameters, with_changes
from avatar_nodes.nodes.base.telemetry import Telemetry
from avatar_nodes.profile.settings import NodeSettings
from avatar_nodes.wire.declaration import Service, Topic
from avatar_nodes.wire.stamp import nanoseconds

EXIT_FAILED = 1
_LOG_EVERY_S = 1.0

SettingsT = TypeVar("SettingsT", bound=NodeSettings)


class _FramedPublisher(LifecyclePublisher):
    """Gives every message with a header a frame: what a tool has no frame of, it does not show."""

    frame_id = ""

    def publish(self, msg: Any) -> None:
        """Publish a message, if the node is active."""
        header = getattr(msg, "header", None)
        if header is not None and not header.frame_id:
            header.frame_id = self.frame_id
        super().publish(msg)


class AvatarNode(LifecycleNode, Generic[SettingsT]):
    """Base of the nodes. A subclass names the class of its settings, `AvatarNode[VoiceSettings]`,
    which are its parameters, and has four steps:

    `setup` (configure: load, create publishers), `start` (activate: `listen`, `serve` and `every`),
    `stop` (deactivate) and `teardown` (cleanup); and `adapt`, which takes a parameter that is set
    meanwhile. A step that raises is not taken: the node stays in the state before it and says why
    in the log and in its sign of life; for a ConfigurationError that is one line. A node that
    starts by itself then ends, with exit code 78 if it was one.

    A callback that raises a RefusedError has refused a message: it is counted under its reason and
    logged. Any other exception is counted too, and logged with its trace; a node that holds an
    epoch (`hold_epoch`) has then lost it, and says so at once.
    """

    KIND: ClassVar[str]
    SETTINGS: ClassVar[type[NodeSettings]] = NodeSettings

    def __init_subclass__(cls, **options: Any) -> None:
        """Find the class of the settings among what the subclass says of its base."""
        super().__init_subclass__(**options)
        for base in cls.__dict__.get("__orig_bases__", ()):
            cls.SETTINGS = next(iter(get_args(base)), cls.SETTINGS)

    def __init__(self, name: str | None = None, **options: Any) -> None:
        """Raises ConfigurationError: a parameter is wrong. Options are those of rclpy's node."""
        super().__init__(name or self.KIND, **options)
        self._limited_log = LimitedLogger(super().get_logger().name)
        self.exit_code: int | None = None
        """Set when the node has nothing more to do; its process then ends with it."""
        self.telemetry = Telemetry()
        self._published: list[LifecyclePublisher[Any]] = []
        self._heard: list[Subscription] = []
        self._served: list[ServiceServer] = []
        self._ticks: list[Any] = []
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._last_log = 0.0
        self._holds_epoch = False
        self._code_of_failure = EXIT_FAILED
        self._entered: list[Callable[[], None]] = []
        self.settings: SettingsT = declare_parameters(self, self.SETTINGS)  # type: ignore[assignment]
        self._set_log_level()
        self.add_on_set_parameters_callback(self._on_parameters)
        self.heartbeat = Heartbeat(
            self,
            self.telemetry,
            report_period_s=self.settings.diagnostics_period_s,
            frame_id=self.settings.frame_id,
        )

    def get_logger(self) -> RcutilsLogger:
        """rclpy's, limited; as long as the node is not made yet, as it is."""
        return getattr(self, "_limited_log", None) or super().get_logger()

    def setup(self) -> None:
        """Load what the node needs and create its publishers."""

    def start(self) -> None:
        """Begin to work: subscribe and start timers."""

    def stop(self) -> None:
        """Pause; subscriptions, services and timers are gone already."""

    def teardown(self) -> None:
        """Let go of what `setup` made."""

    def adapt(self, before: SettingsT) -> None:
        """A parameter that is live has changed: `settings` has it already.

        Raises:
            ConfigurationError: it cannot be; then `settings` is as it was, and so is all else.
        """

    def autostart(self) -> None:
        """Configure and activate if the parameter says so; a failure sets `exit_code`. One of a
        step that somebody else asks for does not: who asked may mend it and ask again."""
        if self.settings.autostart:
            for step in (self.trigger_configure, self.trigger_activate):
                if step() != TransitionCallbackReturn.SUCCESS:
                    self.exit_code = self._code_of_failure
                    return
            self.get_logger().debug("active")

    def shut_down(self) -> None:
        """Stop working and leave ROS; the node cannot be used afterwards."""
        self.heartbeat.stop()
        self._silence()
        self._leave(self.stop)
        self._leave(self.teardown)
        self.destroy_node()

    def publisher(self, topic: Topic) -> LifecyclePublisher[Any]:
        """A publisher until the node is cleaned up, silent while it is not active.

        Raises:
            ValueError: the topic's declaration names no publisher of this node's kind.
        """
        here = topic.with_parameters(self.settings.parameters()).led(self)
        offered = here.offered_by(self.KIND)
        made = cast(
            _FramedPublisher,
            self.create_publisher(here.type, here.name, offered, publisher_class=_FramedPublisher),
        )
        made.frame_id = self.settings.frame_id
        self.add_managed_entity(made)
        self._published.append(made)
        return made

    def listen(
        self, topic: Topic, callback: Callable[[Any], None], *, raw: bool = False
    ) -> Subscription:
        """Subscribe until the node is deactivated; `callback` is guarded (see the class). With
        `raw` it gets the serialized bytes.

        Raises:
            ValueError: the topic's declaration names no reader of this node's kind.
        """
        here = topic.with_parameters(self.settings.parameters())
        guarded = self._guarded(here.name, callback)
        subscription = here.subscribe(self, self.KIND, guarded, raw=raw)
        self._heard.append(subscription)
        return subscription

    def serve(self, service: Service, callback: Callable[[Any, Any], Any]) -> None:
        """Offer a service until the node is deactivated; its answers have `success` and `message`.
        What goes wrong in `callback` is counted and answered: outside of it, it would end the
        process. A coroutine may wait for what is done elsewhere, while the node goes on.

        Raises:
            ValueError: the service's declaration names another kind.
        """
        service.check_server(self.KIND)

        def refusal(error: Exception) -> Any:
            if isinstance(error, RefusedError):
                self.refuse(service.name, error)
            else:
                self.telemetry.rejected("internal")
                self.get_logger().error(f"{service.name}: {traceback.format_exc()}")
            line = _one_line(error)
            return service.type.Response(success=False, message=line)  # type: ignore[attr-defined]

        def guarded(request: Any, response: Any) -> Any:
            try:
                return callback(request, response)
            except Exception as error:
                return refusal(error)

        async def waiting(request: Any, response: Any) -> Any:
            try:
                return await callback(request, response)
            except Exception as error:
                return refusal(error)

        answer = waiting if inspect.iscoroutinefunction(callback) else guarded
        self._served.append(self.create_service(service.type, service.name, answer))

    def ignore(self, subscription: Subscription) -> None:
        """No longer listen to what `listen` gave."""
        self._heard.remove(subscription)
        self.destroy_subscription(subscription)

    def every(self, period_s: float, callback: Callable[[], None]) -> None:
        """Call `callback` periodically until the node is deactivated."""
        guarded = self._guarded("timer", lambda _: callback())
        # By a clock that nobody sets: with the system's, timers stand still when it is set back.
        self._ticks.append(self.create_timer(period_s, lambda: guarded(None), clock=self._steady))

    def takes_part(self, epoch: EpochStart) -> bool:
        """Whether an epoch counts on this very node. One that was restarted finds the epoch of its
        predecessor, of which it lacks the beginning, and waits for the next."""
        return not epoch.instances or self.heartbeat.instance in epoch.instances

    def gave_out(self, block: int) -> None:
        """Report the last block that this station has given out: of those on a block's way, the
        first that lags behind the one before it holds the picture."""
        self.telemetry.gauge("block", block)

    def hold_epoch(self, epoch: int, detail: str, *, ready: bool = True) -> None:
        """Say that this node has begun an epoch, and whether it is ready for its blocks."""
        self._holds_epoch = True
        self.heartbeat.say(ready=ready, epoch=epoch, detail=detail, failed=False)

    def note_hop(self, stamp: Time) -> None:
        """Sample the time a message was under way, `stamp` being when it was sent (if given)."""
        if sent := nanoseconds(stamp):
            self.telemetry.sample("hop_ms", (self.get_clock().now().nanoseconds - sent) / 1e6)

    def refuse(self, topic: str, refused: RefusedError) -> None:
        """Count a message that is not taken, and warn of it (once a second at most)."""
        count = self.telemetry.rejected(refused.reason)
        if isinstance(refused, LeftoverError):
            self.get_logger().debug(f"{topic}: left over from before: {refused}")
        elif time.monotonic() - self._last_log > _LOG_EVERY_S:
            self._last_log = time.monotonic()
            self.get_logger().warning(
                f"{topic}: refused: {refused} (number {count} of '{refused.reason}')"
            )

    def on_configure(self, state: State) -> TransitionCallbackReturn:
        """rclpy's hook."""
        done = self._step(self.setup, "configured", undo=self.teardown)
        if done != TransitionCallbackReturn.SUCCESS:
            self._undo(self.teardown)
            self._withdraw()
        return done

    def on_activate(self, state: State) -> TransitionCallbackReturn:
        """rclpy's hook."""
        super().on_activate(state)
        done = self._step(self.start, "active", undo=self.stop)
        if done != TransitionCallbackReturn.SUCCESS:
            self._silence()
            self._undo(self.stop)
            super().on_deactivate(state)
        else:
            self.heartbeat.say(active=True)
        return done

    def on_deactivate(self, state: State) -> TransitionCallbackReturn:
        """rclpy's hook."""
        self._silence()
        self._holds_epoch = False
        self.heartbeat.renew()  # what is sent from now on is missed: it counts as restarted
        super().on_deactivate(state)
        return self._step(lambda: self._leave(self.stop), "inactive")

    def on_cleanup(self, state: State) -> TransitionCallbackReturn:
        """rclpy's hook."""
        self._leave(self.teardown)
        self._withdraw()
        return self._step(lambda: None, "unconfigured")

    def on_shutdown(self, state: State) -> TransitionCallbackReturn:
        """rclpy's hook."""
        self._silence()
        self._leave(self.stop)
        return self._step(lambda: self._leave(self.teardown), "shut down")

    def _on_parameters(self, changes: list[Parameter]) -> SetParametersResult:
        before = self.settings
        try:
            self.settings = with_changes(before, changes)
            self.adapt(before)
        except ConfigurationError as error:
            self.settings = before
            return SetParametersResult(successful=False, reason=_one_line(error))
        self._set_log_level()
        return SetParametersResult(successful=True)

    def _set_log_level(self) -> None:
        level = self.settings.log_level
        severity = "UNSET" if level == "default" else level.upper()
        self.get_logger().set_level(LoggingSeverity[severity])

    def _step(
        self, action: Callable[[], None], done: str, undo: Callable[[], None] | None = None
    ) -> TransitionCallbackReturn:
        """Take a step of the life cycle; `undo` will be called once when it is left again."""
        try:
            action()
            if undo is not None:
                self._entered.append(undo)
        except Exception as error:
            known = isinstance(error, ConfigurationError)
            line = _one_line(error)
            self._code_of_failure = EXIT_MISCONFIGURED if known else EXIT_FAILED
            self.heartbeat.say(ready=False, detail=line, failed=True)
            self.get_logger().fatal(line if known else traceback.format_exc())
            return TransitionCallbackReturn.FAILURE
        if not self.heartbeat.condition.ready:
            self.heartbeat.say(detail=done, failed=False)
        return TransitionCallbackReturn.SUCCESS

    def _leave(self, undo: Callable[[], None]) -> None:
        """Undo a step that was taken."""
        if undo in self._entered:
            self._entered.remove(undo)
            self._undo(undo)

    def _undo(self, undo: Callable[[], None]) -> None:
        """Undo a step, or what was done of it; what goes wrong with that must not keep the node
        from ending."""
        try:
            undo()
        except Exception as error:
            self.get_logger().error(f"while ending: {error}")

    def _guarded(self, topic: str, callback: Callable[[Any], None]) -> Callable[[Any], None]:
        def guarded(message: Any) -> None:
            try:
                callback(message)
            except RefusedError as refused:
                self.refuse(topic, refused)
            except Exception as error:
                self.telemetry.rejected("internal")
                self.get_logger().error(f"{topic}: {traceback.format_exc()}")
                self._lose_epoch(f"{topic}: {_one_line(error)}")

        return guarded

    def _lose_epoch(self, detail: str) -> None:
        """What was to be done for a block is half done: without a new epoch nothing comes of it."""
        if self._holds_epoch:
            self._holds_epoch = False
            self.heartbeat.say(ready=False, epoch=0, detail=detail, failed=True)

    def _silence(self) -> None:
        for subscription in self._heard:
            self.destroy_subscription(subscription)
        for service in self._served:
            self.destroy_service(service)
        for timer in self._ticks:
            self.destroy_timer(timer)
        self._heard.clear()
        self._served.clear()
        self._ticks.clear()

    def _withdraw(self) -> None:
        while self._published:
            self.destroy_lifecycle_publisher(self._published.pop())


def _one_line(error: Exception) -> str:
    return str(error).replace("\n", "; ") or type(error).__name__
