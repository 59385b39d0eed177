"""Names of the environment variables that hold secrets: each is for the process that needs it."""

from __future__ import annotations

from pydantic import BaseModel

VISITOR_TOKEN, OPERATOR_TOKEN = "AVATAR_KIOSK_TOKEN", "AVATAR_OPERATOR_TOKEN"
TURN_USER, TURN_CREDENTIAL = "AVATAR_TURN_USER", "AVATAR_TURN_CREDENTIAL"
PAGE_SECRETS = frozenset({VISITOR_TOKEN, OPERATOR_TOKEN, TURN_USER, TURN_CREDENTIAL})
"""What the web page is given."""
_NAMES_A_KEY = "api_key_env"


def server_keys(settings: BaseModel) -> frozenset[str]:
    """The variables that settings, or a profile, name for servers' keys."""
    found: set[str] = set()
    for name, value in settings:
        if isinstance(value, BaseModel):
            found |= server_keys(value)
        elif name == _NAMES_A_KEY and value:
            found.add(value)
    return frozenset(found)
