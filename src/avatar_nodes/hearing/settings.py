"""Settings of the listener. Nothing here needs torch."""

from __future__ import annotations

from pydantic import Field

from avatar_nodes.profile.conversation import ListenerSection
from avatar_nodes.profile.settings import NodeSettings


class ListenerSettings(ListenerSection, NodeSettings):
    """Section `listener` of the profile; its phrases may be the persona's."""

    persona_phrases: bool = Field(
        default=False, description="`phrases` are the persona's, and change with it."
    )
    persona_language: str = Field(default="", description="The persona's language, BCP 47.")
