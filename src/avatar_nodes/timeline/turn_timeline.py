"""Notes when a turn passed each milestone, and how long each part of it took."""

from __future__ import annotations

from dataclasses import dataclass

MILESTONES = (
    "speech_started",
    "speech_ended",
    "turn_detected",
    "utterance_ready",
    "first_token",
    "first_segment",
    "first_sound",
    "first_block",
    "first_frame",
    "reply_ended",
)
"""In the order in which a turn passes them; fields of TurnTimeline and of avatar_msgs'."""

PARTS = {
    "speech": ("speech_started", "speech_ended"),
    "silence": ("speech_ended", "turn_detected"),
    "recognition": ("turn_detected", "utterance_ready"),
    "thinking": ("utterance_ready", "first_token"),
    "first_sentence": ("first_token", "first_segment"),
    "synthesis": ("first_segment", "first_sound"),
    "block": ("first_sound", "first_block"),
    "picture": ("first_block", "first_frame"),
    "reply": ("first_frame", "reply_ended"),
}
"""What follows what: the visitor's speech, the silence that ends his turn, ..., the wait for the
next block, its way through the model to the first frame, the reply."""

TOTALS = {
    "to_first_sound": ("speech_ended", "first_sound"),
    "to_first_frame": ("speech_ended", "first_frame"),
}
"""What the visitor waits for: until sound is made, and until it is seen and heard."""

_ANSWER = ("silence", "recognition", "thinking", "first_sentence", "synthesis", "block", "picture")


@dataclass(frozen=True)
class TurnTimeline:
    """Times in nanoseconds since 1970; 0: not reached (yet). See avatar_msgs/TurnTimeline."""

    turn: int
    speech_started: int = 0
    speech_ended: int = 0
    turn_detected: int = 0
    utterance_ready: int = 0
    first_token: int = 0
    first_segment: int = 0
    first_sound: int = 0
    first_block: int = 0
    first_frame: int = 0
    reply_ended: int = 0
    interrupted: bool = False
    over: bool = False
    """Nothing more will come of it."""

    def durations(self) -> dict[str, float]:
        """Seconds of every part (PARTS) and total (TOTALS) both of whose ends were reached.

        A part is negative where milestones were passed in another order, such as a first token
        before the final text.
        """
        spans = {**PARTS, **TOTALS}
        reached = {
            name: (getattr(self, begin), getattr(self, end)) for name, (begin, end) in spans.items()
        }
        return {
            name: (end - begin) / 1e9 for name, (begin, end) in reached.items() if begin and end
        }


def describe(timeline: TurnTimeline) -> str:
    """One line for people: how long the visitor spoke and waited, of what the wait was made, and
    how long the answer was."""
    took = timeline.durations()
    line = f"turn {timeline.turn}:"
    if "speech" in took:
        line += f" {took['speech']:.2f} s of speech,"
    parts = " + ".join(
        f"{name.replace('_', ' ')} {took[name]:.2f}" for name in _ANSWER if name in took
    )
    if "to_first_frame" in took:
        line += f" answered after {took['to_first_frame']:.2f} s"
    elif timeline.first_frame:
        line += " answered"
    else:
        line += " no answer"
    line += f" ({parts})" if parts else ""
    if "reply" in took:
        line += f", {took['reply']:.2f} s of reply"
    return line + (", cut short" if timeline.interrupted else "")
