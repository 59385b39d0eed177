"""A reasoner in the place of the avatar's own: repeats what the visitor says, and waves."""

from contextlib import suppress

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_srvs.srv import Trigger

from avatar_msgs.msg import Intent, ReplySegment, TurnControl, Utterance

LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


class RepeatingReasoner(Node):
    """Hands out one sentence at a time, as a language model would."""

    def __init__(self) -> None:
        super().__init__("own_reasoner")
        self.waiting: list[ReplySegment] = []
        self.turn = 0  # the newest that is answered
        self.intent = self.create_publisher(Intent, "intent", LATCHED)
        self.reply = self.create_publisher(ReplySegment, "reply", 512)
        self.create_subscription(Utterance, "user/utterance", self.on_utterance, 200)
        self.create_subscription(TurnControl, "turn/control", self.on_control, 16)
        self.create_service(Trigger, "reasoner/reset", self.on_reset)
        self.create_timer(0.1, self.speak)

    def on_utterance(self, heard: Utterance) -> None:
        """The visitor's turn is over: say how to move, then what to say."""
        if not heard.is_final or not heard.text.strip() or heard.turn <= self.turn:
            return  # an interim text, or a cough, or told again
        self.turn = heard.turn
        intent = Intent(turn=heard.turn, action_prompt="A person talks and waves with one hand.")
        intent.header.stamp = self.get_clock().now().to_msg()
        self.intent.publish(intent)
        for index, text in enumerate(["I have heard you.", f"You said: {heard.text}."]):
            self.waiting.append(
                ReplySegment(turn=heard.turn, index=index, text=text, is_last=index == 1)
            )

    def speak(self) -> None:
        """Give the next sentence; the voice speaks it while the others are still being made."""
        if self.waiting:
            sentence = self.waiting.pop(0)
            sentence.header.stamp = self.get_clock().now().to_msg()
            self.reply.publish(sentence)

    def on_control(self, order: TurnControl) -> None:
        """The visitor has interrupted: nothing more of this turn, nor of those before it."""
        if order.command == TurnControl.CANCEL:
            self.waiting = [each for each in self.waiting if each.turn > order.turn]

    def on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Forget the dialogue, and whatever is being answered."""
        self.waiting.clear()
        response.success = True
        return response


if __name__ == "__main__":
    with suppress(KeyboardInterrupt, ExternalShutdownException), rclpy.init():
        rclpy.spin(RepeatingReasoner())
