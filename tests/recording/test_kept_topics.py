"""A visitor's voice is written only where the operator chose that, whatever its topic is called."""

from __future__ import annotations

import pytest

from avatar_nodes.profile.archive import KeptOfVisitors
from avatar_nodes.recording.kept_topics import KeptTopics

CHUNK = "avatar_msgs/msg/AudioChunk"
STATE = "avatar_msgs/msg/AvatarState"
UTTERANCE = "avatar_msgs/msg/Utterance"


def kept(of_visitors: KeptOfVisitors, *exclude: str) -> KeptTopics:
    return KeptTopics(
        "/booth/avatar",
        shared=("/rosout",), own_sound=("/booth/avatar/audio", "/booth/avatar/speech/audio"),
        exclude=exclude, of_visitors=of_visitors,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("topic", "kind", "levels"),
    [
        ("/booth/avatar/state", STATE, "nothing words sound"),
        ("/booth/avatar/audio", CHUNK, "nothing words sound"),
        ("/booth/avatar/speech/audio", CHUNK, "nothing words sound"),
        ("/booth/avatar/speech/demand", "avatar_msgs/msg/AudioDemand", "nothing words sound"),
        ("/booth/avatar/user/utterance", UTTERANCE, "words sound"),
        ("/booth/avatar/typed", UTTERANCE, "words sound"),
        ("/booth/avatar/user/speech_activity", "avatar_msgs/msg/SpeechActivity", "words sound"),
        ("/booth/avatar/audio_in", CHUNK, "sound"),
        ("/booth/avatar/user/audio", CHUNK, "sound"),
        ("/booth/avatar/front_microphone", CHUNK, "sound"),
        ("/booth/avatar/front", "audio_common_msgs/msg/AudioData", "sound"),
        ("/rosout", "rcl_interfaces/msg/Log", "nothing words sound"),
        ("/booth/avatar2/state", STATE, ""),
        ("/other/audio", CHUNK, ""),
    ],
)
def test_what_is_kept(topic: str, kind: str, levels: str) -> None:
    found = [each for each in ("nothing", "words", "sound") if kept(each).keeps(topic, kind)]  # type: ignore[arg-type]
    assert found == levels.split()


def test_names_are_left_out_as_well() -> None:
    chosen = kept("sound", "", "blocks/latent*", "user/audio")
    names = ["blocks/latent_1", "user/audio", "audio_in"]
    assert [chosen.keeps(f"/booth/avatar/{n}", CHUNK) for n in names] == [False, False, True]


def test_full_names_are_left_out_as_well() -> None:
    chosen = kept("sound", "/user/audio", "/booth/avatar/head/image_raw")
    names = ["user/audio", "head/image_raw", "head/image_raw/compressed"]
    assert [chosen.keeps(f"/booth/avatar/{n}", STATE) for n in names] == [False, False, True]
