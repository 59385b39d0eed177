"""avatar_msgs: every field says what it is, every type can be made and keeps its values."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="no ROS here")

from rclpy.serialization import deserialize_message, serialize_message

SOURCE = Path(__file__).resolve().parent.parent.parent / "src" / "avatar_msgs"
FILES = sorted(path for kind in ("msg", "srv", "action") for path in (SOURCE / kind).iterdir())


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def made(path: Path) -> list[object]:
    """The message, or the messages a service or an action consists of, default-constructed."""
    kind = getattr(importlib.import_module(f"avatar_msgs.{path.parent.name}"), path.stem)
    parts = {"msg": (), "srv": ("Request", "Response"), "action": ("Goal", "Result", "Feedback")}
    return [getattr(kind, part)() for part in parts[path.parent.name]] or [kind()]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_field_is_commented(path: Path) -> None:
    above = ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.strip() not in ("", "---") and not line.startswith("#"):
            assert above.startswith("# "), f"{path.name}:{number}: no comment above: {line}"
            assert len(above) > 8, f"{path.name}:{number}: the comment says nothing: {above}"
        above = line


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_type_survives_the_wire(path: Path) -> None:
    for message in made(path):
        assert deserialize_message(serialize_message(message), type(message)) == message


def test_values_survive_the_wire() -> None:
    from avatar_msgs.msg import BlockContext, EpochStart, Prompt, SinkFrame, Tensor

    latent = Tensor(dtype="float32", shape=[2, 1], data=bytes(range(8)))
    context = BlockContext(block=2**40, prompt_id="a", latent=latent)
    epoch = EpochStart(
        epoch=2**63,
        first_block=2**40 + 1,
        seed=2**64 - 1,
        sink=SinkFrame(version=1, latent=latent),
        prompts=[Prompt(id="a", text="ein Mann winkt ☺")],
        context=[context],
    )
    back = deserialize_message(serialize_message(epoch), EpochStart)
    assert back == epoch
    assert back.context[0].latent.data.tobytes() == bytes(range(8))
    assert back.prompts[0].text == "ein Mann winkt ☺"


def test_states_of_the_avatar_differ() -> None:
    from avatar_msgs.msg import AvatarState

    names = ("IDLE", "LISTENING", "THINKING", "SPEAKING", "RENDERING", "FINISHED")
    assert [getattr(AvatarState, name) for name in names] == list(range(6))
