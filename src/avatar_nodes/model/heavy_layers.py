"""The matrices that do nearly all of the transformer's work: q, k, v, o and both feed-forward
layers of every block, and q, k, v, o of every audio injection (448 at 14B).

They are what is served in a profile's dtype, and what Live Avatar's adapters are on.
"""

from __future__ import annotations

import re

HEAVY_LAYERS = (
    r"(blocks\.\d+\.(self_attn|cross_attn)\.[qkvo]|blocks\.\d+\.ffn\.[02]"
    r"|audio_injector\.injector\.\d+\.[qkvo])"
)
_PARAMETERS = re.compile(HEAVY_LAYERS + r"\.(weight|bias)")


def is_heavy(parameter: str) -> bool:
    """Whether a parameter of that name belongs to such a layer."""
    return _PARAMETERS.fullmatch(parameter) is not None
