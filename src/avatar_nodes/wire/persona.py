"""Who answers: a persona -> avatar_msgs/Persona. Nothing here needs torch."""

from __future__ import annotations

from avatar_msgs import msg as m
from avatar_nodes.mind.persona import Persona


def persona_to_msg(name: str, persona: Persona) -> m.Persona:
    """Who answers; `name`: how the persona is asked for."""
    states = persona.states
    return m.Persona(
        persona=name, name=persona.name, language=persona.language, prompt_idle=states.idle,
        prompt_listening=states.listening, prompt_thinking=states.thinking,
        prompt_speaking=states.speaking, phrases=persona.examples,
    )  # fmt: skip
