"""Settings of the reasoner. Nothing here needs torch."""

from __future__ import annotations

from avatar_nodes.profile.conversation import ReasonerSection
from avatar_nodes.profile.settings import NodeSettings, key


class ReasonerSettings(ReasonerSection, NodeSettings):
    """Section `reasoner` of the profile, and whether the avatar may be interrupted."""

    LIVE = NodeSettings.LIVE | {"min_confidence", "forget_after_s"}

    barge_in: bool = key("conversation.barge_in")
