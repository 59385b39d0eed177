"""A microphone node of the test's own, and sound that reaches it as it is captured."""

from __future__ import annotations

import time

import numpy as np
import rclpy
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher

from avatar_nodes.nodes.microphone import MicrophoneNode
from avatar_nodes.wire.audio import audio_to_msg
from support.spinner import Spinner
from support.visitor import RATE


def start_microphone(context: rclpy.Context, spinner: Spinner) -> MicrophoneNode:
    """Its sound comes from the topic `voice` and goes to `user/audio`."""
    overrides = [
        Parameter(name, value=value)
        for name, value in {"source": "topic", "topic": "voice", "output": "user"}.items()
    ]
    node = MicrophoneNode(context=context, parameter_overrides=overrides)
    node.autostart()
    spinner.add(node)
    return node


def speak(out: Publisher, sound: np.ndarray, first: int = 0) -> None:
    """Publish int16 [n] in real time, as samples `first` and after."""
    begun = time.monotonic()
    for place in range(0, len(sound), 640):
        time.sleep(max(0.0, begun + place / RATE - time.monotonic()))
        part = sound[place : place + 640]
        out.publish(audio_to_msg(part, stream="v", sample_rate=RATE, first_sample=first + place))
