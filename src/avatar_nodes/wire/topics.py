"""Every topic, service and action of the graph, declared once (see `declaration`).

Nodes and clients make their publishers, subscriptions, services and clients from these, and from
nothing else; `avatar graph` draws them. Names are relative to the graph's namespace unless they
begin with a slash.
"""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import Log
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import SetBool, Trigger

from avatar_msgs import action, msg, srv
from avatar_nodes.wire import names, qos
from avatar_nodes.wire.declaration import (
    ANYBODY,
    EVERY_NODE,
    OBSERVER,
    VISITOR,
    WITNESS,
    Action,
    Parameters,
    Reading,
    Service,
    Topic,
)


def _converses(parameters: Parameters) -> bool:
    """A conductor that leads a conversation."""
    return bool(parameters["mode"] == "converse")


def _captures(parameters: Parameters) -> bool:
    """A microphone to which the avatar listens."""
    return bool(parameters["output"] == "user")


def _moves(parameters: Parameters) -> bool:
    """A microphone whose sound moves the avatar."""
    return bool(parameters["output"] == "speech")


_WHILE_IT_WATCHES = Reading(
    qos=qos.CONTROL, reason="it notes when a message arrives: of an earlier one it does not know"
)
_NOTHING_WAITS = Reading(qos=qos.BEST_EFFORT, reason="nothing waits for it")

# The forward path of a block.

AUDIO_IN = Topic(
    name=names.AUDIO_IN,
    type=msg.AudioChunk,
    qos=qos.SOUND,
    publishers=("kiosk", VISITOR, ANYBODY),
    readers=("microphone",),
    name_parameter="topic",
    when={"microphone": lambda parameters: bool(parameters["source"] == "topic")},
    meaning="Sound that comes in, of any rate; `--audio topic:NAME` gives it another name.",
)
USER_AUDIO = Topic(
    name="user/audio",
    type=msg.AudioChunk,
    qos=qos.CAPTURED,
    publishers=("microphone",),
    readers=("listener", "realtime"),
    when={"microphone": _captures},
    meaning="What a visitor says, with the times at which it was captured.",
)
SPEECH_ACTIVITY = Topic(
    name="user/speech_activity",
    type=msg.SpeechActivity,
    qos=qos.HEARD,
    publishers=("listener", "realtime"),
    readers=("conductor", "microphone", "timeline", VISITOR, WITNESS),
    when={"conductor": _converses, "microphone": _captures},
    meaning="Whether the visitor speaks.",
)
UTTERANCE = Topic(
    name="user/utterance",
    type=msg.Utterance,
    qos=qos.HEARD,
    publishers=("listener", "realtime", "kiosk", "conductor", VISITOR, ANYBODY),
    readers=(
        "reasoner", "realtime", "conductor", "microphone", "listener", "timeline", "kiosk", VISITOR,
    ),
    when={"conductor": _converses, "microphone": _captures},
    meaning="What the visitor said, or wrote on the page; interim texts, then the final one. The"
    " conductor numbers one of turn 0, and tells one a second time of which nothing has come.",
)  # fmt: skip
INTENT = Topic(
    name="intent",
    type=msg.Intent,
    qos=qos.LATCHED,
    publishers=("reasoner", "realtime"),
    readers=("conductor", "listener", "timeline", "kiosk", WITNESS),
    reading={
        "conductor": Reading(
            qos=qos.CONTROL,
            reason="what was intended before it came is over, or comes again with sound",
        ),
        "timeline": _WHILE_IT_WATCHES,
        WITNESS: _WHILE_IT_WATCHES,
    },
    when={"conductor": _converses},
    meaning="How the avatar moves while it answers a turn.",
)
REPLY = Topic(
    name="reply",
    type=msg.ReplySegment,
    qos=qos.REPLIES,
    publishers=("reasoner", "realtime", "conductor"),
    readers=("voice", "realtime", "conductor", "timeline", "kiosk", VISITOR),
    when={"conductor": _converses},
    meaning="The sentences of an answer, as they come.",
)
SPEECH_AUDIO = Topic(
    name="speech/audio",
    type=msg.AudioChunk,
    qos=qos.SOUND,
    publishers=("voice", "realtime", "microphone"),
    readers=("conductor", "timeline", WITNESS),
    when={"microphone": _moves},
    meaning="The sound that moves the avatar.",
)
EPOCH = Topic(
    name="blocks/epoch",
    type=msg.EpochStart,
    qos=qos.LATCHED,
    publishers=("conductor",),
    readers=("denoiser", "decoder", "memory", "presenter"),
    meaning="The stream begins, or begins anew, with this block and this past.",
)
PROMPT = Topic(
    name="blocks/prompt",
    type=msg.Prompt,
    qos=qos.BLOCKS,
    publishers=("conductor",),
    readers=("denoiser", WITNESS),
    meaning="A prompt, before any block that carries it.",
)
CONDITIONING = Topic(
    name="blocks/conditioning",
    type=msg.BlockConditioning,
    qos=qos.BLOCKS,
    publishers=("conductor",),
    readers=("denoiser", "presenter", "timeline", WITNESS),
    reading={"timeline": _WHILE_IT_WATCHES},
    meaning="A block is issued: its sound, audio features, prompt, sink, memory.",
)
LATENT_IN = Topic(
    name=names.LATENT_IN,
    type=msg.LatentBlock,
    qos=qos.BLOCKS,
    publishers=(),
    readers=("denoiser", "decoder"),
    when={"denoiser": lambda parameters: bool(parameters["steps"][0] > 0)},
    meaning="Latents that a denoiser or the decoder takes; the graph remaps `latent_in` to"
    " `blocks/latent_1` ..., `blocks/latent_clean`. The first denoiser makes its own noise.",
)
LATENT_OUT = Topic(
    name=names.LATENT_OUT,
    type=msg.LatentBlock,
    qos=qos.BLOCKS,
    publishers=("denoiser",),
    readers=(),
    meaning="Latents after a denoiser's steps; the graph remaps `latent_out` to `blocks/latent_1`"
    " ..., after the last step to `blocks/latent_clean`.",
)
LATENT_CLEAN = Topic(
    name=names.LATENT_CLEAN,
    type=msg.LatentBlock,
    qos=qos.BLOCKS,
    publishers=(),
    readers=("memory", "conductor"),
    meaning="Latents after the last step, the last denoiser's `latent_out`.",
)
FRAMES = Topic(
    name="blocks/frames",
    type=msg.FrameBlock,
    qos=qos.FRAMES,
    publishers=("decoder",),
    readers=("presenter", "memory"),
    when={"memory": lambda parameters: bool(parameters["features"] != "latents")},
    meaning="Decoded frames of a block, in parts.",
)

# What leaves the graph.

IMAGE_RAW = Topic(
    name="image_raw",
    type=Image,
    qos=qos.PUBLIC,
    publishers=("presenter",),
    readers=("recorder", "archive", "kiosk", WITNESS, ANYBODY),
    reading=dict.fromkeys(("archive", "kiosk"), _NOTHING_WAITS),
    qos_parameter="qos_image",
    meaning="Pictures, rgb8, one message a frame.",
)
IMAGE_COMPRESSED = Topic(
    name="image_raw/compressed",
    type=CompressedImage,
    qos=qos.PUBLIC,
    publishers=("presenter",),
    readers=(ANYBODY,),
    qos_parameter="qos_image",
    leader="image_raw",
    meaning="The same as JPEG, made only while somebody subscribes.",
)
CAMERA_INFO = Topic(
    name="camera_info",
    type=CameraInfo,
    qos=qos.PUBLIC,
    publishers=("presenter",),
    readers=(ANYBODY,),
    qos_parameter="qos_image",
    leader="image_raw",
    meaning="Size of the pictures, with the stamp of each.",
)
AUDIO = Topic(
    name="audio",
    type=msg.AudioChunk,
    qos=qos.PUBLIC,
    publishers=("presenter",),
    readers=(
        "recorder", "archive", "kiosk", "loudspeaker", "listener", "realtime", "microphone",
        "timeline", WITNESS, ANYBODY,
    ),
    reading={
        **dict.fromkeys(("archive", "kiosk", "loudspeaker", "timeline"), _NOTHING_WAITS),
        **dict.fromkeys(
            ("listener", "realtime", "microphone"),
            Reading(qos=qos.BEST_EFFORT, reason="late sound is no reference for an echo"),
        ),
    },
    qos_parameter="qos_audio",
    when={"microphone": _captures},
    meaning="The avatar's sound, a chunk a frame, with the frame's stamp.",
)  # fmt: skip
STATE = Topic(
    name="state",
    type=msg.AvatarState,
    qos=qos.LATCHED,
    publishers=("conductor",),
    readers=(
        "reasoner",
        "realtime",
        "listener",
        "recorder",
        "timeline",
        "kiosk",
        VISITOR,
        OBSERVER,
        WITNESS,
        ANYBODY,
    ),
    reading=dict.fromkeys(
        ("timeline", WITNESS),
        Reading(qos=qos.CONTROL, reason="it wants each state from now on, not only the last"),
    ),
    meaning="Idle, listening, thinking, speaking, rendering, finished; the turn and block.",
)
TURN_TIMELINE = Topic(
    name="turn_timeline",
    type=msg.TurnTimeline,
    qos=qos.LATCHED_FEW,
    publishers=("timeline",),
    readers=("kiosk", VISITOR, ANYBODY),
    meaning="When a turn passed which milestone.",
)
RECORDING = Topic(
    name="recording",
    type=msg.RecordingState,
    qos=qos.LATCHED,
    publishers=("archive",),
    readers=("kiosk", ANYBODY),
    meaning="Whether the avatar is recorded, into which file, what is wrong.",
)
PERSONA = Topic(
    name="persona",
    type=msg.Persona,
    qos=qos.LATCHED,
    publishers=("reasoner", "realtime"),
    readers=("conductor", "listener", "voice", "kiosk"),
    when={
        "conductor": _converses,
        "voice": lambda parameters: bool(parameters["persona"]),
        "listener": lambda parameters: bool(parameters["persona_phrases"]),
    },
    meaning="Who answers: its name, language, prompts, and what visitors are likely to say.",
)

# What goes back, and to the side.

CREDIT = Topic(
    name="blocks/credit",
    type=msg.BlockCredit,
    qos=qos.LATCHED,
    publishers=("presenter",),
    readers=("conductor", "recorder", "kiosk", OBSERVER, WITNESS),
    reading={
        OBSERVER: Reading(qos=qos.COUNTED, reason="it counts blocks"),
        WITNESS: _WHILE_IT_WATCHES,
    },
    meaning="What is presented, and what could be: the conductor issues blocks against it.",
)
PRESENTED = Topic(
    name="blocks/presented",
    type=msg.BlockConditioning,
    qos=qos.LATCHED_FEW,
    publishers=("presenter",),
    readers=("conductor",),
    meaning="The last blocks that were shown, for a conductor that comes anew.",
)
SINK = Topic(
    name="sink",
    type=msg.SinkFrame,
    qos=qos.LATCHED_FEW,
    publishers=("decoder",),
    readers=("denoiser", "conductor"),
    meaning="Who is seen: the reference picture's latent, then the stream's own start.",
)
MEMORY = Topic(
    name="memory",
    type=msg.MemoryTokens,
    qos=qos.BLOCKS,
    publishers=("memory",),
    readers=("denoiser", "conductor"),
    when={"conductor": lambda parameters: bool(parameters["memory_lag"])},
    meaning="Visual memory, compressed into tokens; one version a block.",
)
SPEECH_DEMAND = Topic(
    name="speech/demand",
    type=msg.AudioDemand,
    qos=qos.LATCHED,
    publishers=("conductor",),
    readers=("voice", "realtime", "microphone"),
    when={"microphone": _moves},
    meaning="Which samples of which stream may come.",
)
TURN_CONTROL = Topic(
    name="turn/control",
    type=msg.TurnControl,
    qos=qos.CONTROL,
    publishers=("conductor",),
    readers=("reasoner", "voice", "realtime", "presenter", "loudspeaker", "timeline", WITNESS),
    when={"conductor": _converses},
    meaning="A reply is held, goes on, or is dropped.",
)
STAGES = Topic(
    name="stages",
    type=msg.StageStatus,
    qos=qos.STAGES,
    publishers=(EVERY_NODE,),
    readers=("conductor", "microphone", OBSERVER, WITNESS),
    reading={OBSERVER: Reading(qos=qos.WATCHED, reason="each comes again within half a second")},
    when={"microphone": _captures},
    meaning="Signs of life: ready or not, in which epoch, why not.",
)
DIAGNOSTICS = Topic(
    name="/diagnostics",
    type=DiagnosticArray,
    qos=qos.DIAGNOSTICS,
    publishers=(EVERY_NODE,),
    readers=("kiosk", OBSERVER, ANYBODY),
    reading={OBSERVER: Reading(qos=qos.WATCHED, reason="each comes again within a second")},
    meaning="Rates, queue depths, milliseconds, drops, rejections.",
)
HEALTH = Topic(
    name="health",
    type=DiagnosticStatus,
    qos=qos.DIAGNOSTICS,
    publishers=(OBSERVER,),
    readers=("kiosk", ANYBODY),
    meaning="Whether the avatar is well, once a second; `avatar up` tells it, on every machine that"
    " runs a part of it.",
)
LOG = Topic(
    name="/rosout",
    type=Log,
    qos=qos.LOG,
    publishers=(EVERY_NODE,),
    readers=("kiosk", ANYBODY),
    reading={"kiosk": Reading(qos=qos.DIAGNOSTICS, reason="it shows what is logged from now on")},
    meaning="ROS's own log.",
)

# What can be asked.

SET_PROMPT = Service(
    name="set_prompt",
    type=srv.SetPrompt,
    servers=("conductor",),
    clients=("kiosk", ANYBODY),
    meaning="What the person does.",
)
ASK = Service(
    name="ask",
    type=srv.Ask,
    servers=("conductor",),
    clients=(ANYBODY,),
    when={"conductor": _converses},
    meaning="What a visitor says, as text: it is answered as if it had been heard.",
)
SET_REFERENCE = Service(
    name="set_reference",
    type=srv.SetReference,
    servers=("decoder",),
    clients=("kiosk", ANYBODY),
    meaning="Who is seen.",
)
SET_PERSONA = Service(
    name="reasoner/set_persona",
    type=srv.SetPersona,
    servers=("reasoner",),
    clients=("kiosk", ANYBODY),
    meaning="Who answers.",
)
FORGET = Service(
    name="reasoner/forget",
    type=Trigger,
    servers=("reasoner", "realtime"),
    clients=(ANYBODY,),
    meaning="The dialogue is forgotten; nothing is stopped.",
)
RESET_REASONER = Service(
    name="reasoner/reset",
    type=Trigger,
    servers=("reasoner", "realtime"),
    clients=("conductor",),
    when={"conductor": _converses},
    meaning="That, and whatever is being answered is dropped.",
)
INTERRUPT = Service(
    name="interrupt",
    type=Trigger,
    servers=("conductor",),
    clients=("kiosk", ANYBODY),
    when={"conductor": _converses},
    meaning="Stop what is said or thought about.",
)
RESET = Service(
    name="reset",
    type=Trigger,
    servers=("conductor",),
    clients=("kiosk", ANYBODY),
    when={"conductor": _converses},
    meaning="That, and everything set or said before is forgotten.",
)
SET_RECORDING = Service(
    name="recording/set",
    type=SetBool,
    servers=("archive",),
    clients=("kiosk", ANYBODY),
    meaning="Start or stop recording.",
)
SAY = Action(
    name="say",
    type=action.Say,
    servers=("conductor",),
    clients=("kiosk", ANYBODY),
    when={"conductor": _converses},
    meaning="Say a text, or a sound.",
)
PERFORM = Action(
    name="perform",
    type=action.Perform,
    servers=("conductor",),
    clients=(ANYBODY,),
    when={"conductor": _converses},
    meaning="Do something for a while.",
)

TOPICS = tuple(value for value in globals().values() if isinstance(value, Topic))
SERVICES = tuple(value for value in globals().values() if isinstance(value, Service))
ACTIONS = tuple(value for value in globals().values() if isinstance(value, Action))
REQUESTS: tuple[Service | Action, ...] = (*SERVICES, *ACTIONS)
