"""What the conductor can be told."""

from avatar_nodes.nodes.base.node_parameter import NodeParameter
from avatar_nodes.wire.qos import MAX_IN_FLIGHT

_CONVERSATION = (
    NodeParameter("prompt_listening", "", "Prompt while the visitor speaks; empty: `prompt`."),
    NodeParameter("prompt_thinking", "", "Prompt while the reply is made; empty: `prompt`."),
    NodeParameter("prompt_speaking", "", "Prompt of a reply without gesture; empty: `prompt`."),
    NodeParameter("words_timeout_s", 1.5, "Without a reply: no words will come.", 0.1, 60.0),
    NodeParameter("held_timeout_s", 2.0, "A held reply goes on without words.", 0.2, 60.0),
    NodeParameter("listening_timeout_s", 20.0, "Listening ends without news.", 1.0, 600.0),
    NodeParameter("thinking_timeout_s", 30.0, "A reply that does not come is lost.", 1.0, 600.0),
    NodeParameter("speaking_timeout_s", 20.0, "A reply that breaks off is over.", 1.0, 600.0),
    NodeParameter("barge_in", True, "The visitor may cut a reply short by speaking."),
)

CONDUCTOR_PARAMETERS = (
    NodeParameter(
        "mode",
        "puppet",
        "`puppet`: live and endless; `render`: ends with the sound; `converse`: it answers.",
        choices=("puppet", "render", "converse"),
    ),
    NodeParameter("checkpoint", "", "Folder of the model (text encoder, audio features)."),
    NodeParameter("dtype", "float32", "Number format of a large text encoder."),
    NodeParameter("audio_device", "cpu", "Device of the audio features: cpu, cuda or cuda:N."),
    NodeParameter("text_device", "cpu", "Device of the text encoder: cpu, cuda or cuda:N."),
    NodeParameter("audio_context_s", 4.0, "Sound heard before a block [s] (wav2vec).", 0.0, 60.0),
    NodeParameter("audio_lookahead_s", 0.16, "Sound heard after it [s] (wav2vec).", 0.0, 60.0),
    NodeParameter("stages", ["presenter"], "Nodes that must be ready to issue a block."),
    NodeParameter("prompt", "a person talks to the camera", "Prompt of the stream's start."),
    NodeParameter("seed", 0, "Seed of the noise.", 0, 2**63 - 1),
    NodeParameter("first_block", 0, "Number of the stream's first block.", 0, 2**62),
    NodeParameter("past_blocks", 2, "Past blocks that a block attends to.", 0, 64),
    NodeParameter("aas_from_block", 1, "First block with the stream's own sink.", 1, 1000),
    NodeParameter("adaptive_sink", True, "False: every block keeps the reference as sink."),
    NodeParameter("max_in_flight", 4, "Blocks under way at the same time.", 1, MAX_IN_FLIGHT),
    NodeParameter(
        "pace",
        "realtime",
        "Just in time for the media clock, or as fast as credits allow.",
        choices=("realtime", "free"),
    ),
    NodeParameter("margin_s", 0.08, "How early a block is to be ready [s].", 0.0, 5.0),
    NodeParameter(
        "idle",
        "keep_alive",
        "Without sound, in real time: go on in silence, or stop.",
        choices=("keep_alive", "hold"),
    ),
    NodeParameter("heartbeat_timeout_s", 2.0, "A stage unheard of is lost [s].", 0.1, 3600.0),
    NodeParameter("block_timeout_s", 10.0, "A block unfinished is lost [s].", 0.1, 3600.0),
    NodeParameter(
        "cache_switch", True, "In a conversation, a new prompt rebuilds the caches at once."
    ),
    NodeParameter(
        "memory_lag", 0, "Blocks by which `memory` is behind a block; 0: there is none.", 0, 12
    ),
    *_CONVERSATION,
)
