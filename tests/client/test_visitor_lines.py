"""Lines of a conversation as a visitor's client tells them: a question before its answer."""

from __future__ import annotations

from avatar_msgs.msg import ReplySegment, Utterance
from avatar_nodes.client.visitor import VirtualVisitor


def test_an_answer_that_comes_in_first_is_told_after_its_question() -> None:
    visitor, lines = VirtualVisitor("/test", topic="visitor_audio"), list[tuple[str, str]]()
    visitor.on_line = lambda *line: lines.append(line)
    visitor._on_reply(ReplySegment(turn=7, text="I am a robot."))
    visitor._on_reply(ReplySegment(turn=7, text="And you?"))
    assert not lines
    visitor._on_utterance(Utterance(turn=7, text="who are you", is_final=True))
    visitor._on_reply(ReplySegment(turn=7, text="Well?"))
    assert lines == [
        ("visitor", "who are you"),
        ("avatar", "I am a robot."),
        ("avatar", "And you?"),
        ("avatar", "Well?"),
    ]


def test_what_nobody_asked_for_is_told_at_once() -> None:
    visitor, lines = VirtualVisitor("/test", topic="visitor_audio"), list[tuple[str, str]]()
    visitor.on_line = lambda *line: lines.append(line)
    visitor._on_reply(ReplySegment(turn=0, text="Closing time."))
    visitor._on_reply(ReplySegment(turn=0, text="never said", cancelled=True))
    assert lines == [("avatar", "Closing time.")]
