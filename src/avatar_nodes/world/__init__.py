"""The tiny world: rendered people who speak and act, every frame's truth known (docs/world.md)."""

from avatar_nodes.world.identity import Identity
from avatar_nodes.world.motion import ACTIONS, SHOW, Performance
from avatar_nodes.world.mouth import INTERIOR
from avatar_nodes.world.objects import Thing
from avatar_nodes.world.prompts import prompts, sample_prompt
from avatar_nodes.world.renderer import (
    Box,
    face_box,
    hand_boxes,
    mouth_box,
    mouth_search_box,
    render,
    room,
    thing_box,
    thing_visible,
)
from avatar_nodes.world.sentences import Sentence, all_sentences, sentences, split_of
from avatar_nodes.world.speech import (
    SAMPLE_RATE,
    Phone,
    Speech,
    SpeechError,
    synthesise,
)
from avatar_nodes.world.visemes import FRAME_RATE, LipTrack, Viseme, lip_track, viseme

__all__ = [
    "ACTIONS",
    "FRAME_RATE",
    "INTERIOR",
    "SAMPLE_RATE",
    "SHOW",
    "Box",
    "Identity",
    "LipTrack",
    "Performance",
    "Phone",
    "Sentence",
    "Speech",
    "SpeechError",
    "Thing",
    "Viseme",
    "all_sentences",
    "face_box",
    "hand_boxes",
    "lip_track",
    "mouth_box",
    "mouth_search_box",
    "prompts",
    "render",
    "room",
    "sample_prompt",
    "sentences",
    "split_of",
    "synthesise",
    "thing_box",
    "thing_visible",
    "viseme",
]
