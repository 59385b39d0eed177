"""Small chat models, made once; a persona."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.tiny_chat_model import PARROT_ANSWER, build_tiny_chat_model

from avatar_nodes.mind.persona_file import load_persona
from avatar_nodes.mind.phrasebook import Phrasebook


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen3 with random weights."""
    return build_tiny_chat_model(tmp_path_factory.mktemp("chat") / "random")


@pytest.fixture(scope="session")
def parrot_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen3 that has learnt to say PARROT_ANSWER."""
    folder = tmp_path_factory.mktemp("chat") / "parrot"
    return build_tiny_chat_model(folder, answer=json.dumps(PARROT_ANSWER))


@pytest.fixture
def phrasebook() -> Phrasebook:
    """The shipped persona's words."""
    return Phrasebook(load_persona("default"), seed=0)
