"""The sections of a conversation: who is heard, who answers, how turns are taken."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from avatar_nodes.profile.section import Device, Section

ChatSeconds = Annotated[float, Field(ge=0.1, le=600.0)]


class ListenerSection(Section):
    """How the visitor is heard."""

    threads: int = Field(default=1, ge=1, le=256, description="CPU threads for its arithmetic.")
    vad_threshold: float = Field(
        default=0.5, ge=0.05, le=0.95, description="Probability from which sound is speech."
    )
    vad_release: float = Field(
        default=0.35, ge=0.01, le=0.95, description="Probability below which speech stops."
    )
    vad_threshold_playback: float = Field(
        default=0.6, ge=0.05, le=0.99, description="vad_threshold while the avatar plays."
    )
    min_speech_s: float = Field(
        default=0.1, ge=0.03, le=2.0, description="Speech that begins a turn [s]."
    )
    silence_s: float = Field(
        default=0.4, ge=0.1, le=5.0, description="Silence that ends a turn [s]."
    )
    min_utterance_s: float = Field(
        default=0.25, ge=0.0, le=5.0, description="A turn with less speech holds no words [s]."
    )
    pre_roll_s: float = Field(
        default=0.3, ge=0.0, le=2.0, description="Sound before speech that is recognised [s]."
    )
    max_utterance_s: float = Field(
        default=20.0, ge=1.0, le=300.0, description="Longest turn; then it is ended [s]."
    )
    automatic_gain: bool = Field(
        default=True,
        description="A quiet voice is made louder before it is judged and recognised, while the"
        " avatar is silent.",
    )
    echo: Literal["aec", "gate", "none"] = Field(
        default="aec",
        description="Against the avatar's own voice: cancelled (gated where that is impossible),"
        " gated, or nothing.",
    )
    echo_delay_s: float = Field(
        default=0.0,
        ge=-0.5,
        le=2.0,
        description="Known delay of the loudspeaker after `audio`'s stamps [s].",
    )
    echo_tail_s: float = Field(
        default=0.3, ge=0.0, le=2.0, description="How long its echo outlasts the avatar [s]."
    )
    gate_margin_db: float = Field(
        default=6.0, ge=0.0, le=40.0, description="Gate: a visitor is so much louder than the echo."
    )
    recogniser: Literal["auto", "pocketsphinx", "whisper"] = Field(
        default="auto",
        description="What recognises; `auto`: whisper where its model is on this machine,"
        " pocketsphinx elsewhere.",
    )
    recogniser_model: str = Field(
        default="",
        description="Folder of its model, or a name of `avatar models`; empty: pocketsphinx's own,"
        " whisper's whisper-base.",
    )
    recogniser_device: str = Field(
        default="cpu", description="Device of recogniser whisper: `cpu`, `cuda` or `cuda:N`."
    )
    language: str = Field(
        default="",
        description="Spoken language, BCP 47; empty: the persona's (whisper) or the model's;"
        " `auto`: found (whisper).",
    )
    phrases: list[str] = Field(
        default_factory=list,
        description="Sentences that visitors are likely to say; none: the persona's examples.",
    )
    eager: bool = Field(
        default=True,
        description="A turn that is one of `phrases` ends at its first pause of 0.2 s, without"
        " waiting for `silence_s`.",
    )
    interim_s: float = Field(
        default=0.3,
        ge=0.0,
        le=10.0,
        description="Sound between interim texts; 0: only in pauses [s].",
    )
    backlog_s: float = Field(
        default=20.0,
        ge=1.0,
        le=120.0,
        description="Sound that may wait for recognition; more is lost [s].",
    )
    activity_s: float = Field(
        default=0.25, ge=0.05, le=5.0, description="Between reports of activity [s]."
    )

    @model_validator(mode="after")
    def _agree(self) -> ListenerSection:
        if self.vad_release > self.vad_threshold:
            raise ValueError(
                f"expected a vad_release of at most vad_threshold ({self.vad_threshold:g}),"
                f" got {self.vad_release:g}"
            )
        shortest = self.min_utterance_s + self.silence_s
        if self.max_utterance_s <= shortest:
            raise ValueError(
                "expected a max_utterance_s of more than min_utterance_s + silence_s"
                f" ({shortest:g}), got {self.max_utterance_s:g}"
            )
        return self


class ReasonerSection(Section):
    """Who answers."""

    backend: Literal["persona", "transformers", "openai"] = Field(
        default="persona",
        description="`persona`: the answers that an operator wrote. `transformers`: a local chat"
        " model. `openai`: any OpenAI-compatible server.",
    )
    persona: str = Field(
        default="default",
        min_length=1,
        description="Who the avatar is: a shipped persona by name, or a YAML file"
        " (docs/persona.md). Chat models get it as their instruction, and its fallbacks.",
    )
    min_confidence: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="Utterances that the recogniser is less sure of count as not understood.",
    )
    dialogue_turns: int = Field(
        default=8, ge=0, le=100, description="Exchanges that are remembered."
    )
    forget_after_s: float = Field(
        default=120.0,
        ge=0.0,
        le=86400.0,
        description="Seconds without a word after which the dialogue is forgotten, since whoever"
        " speaks then is somebody else; 0: never.",
    )
    join_s: float = Field(
        default=1.0,
        ge=0.0,
        le=5.0,
        description="Pause after which he who speaks goes on with what he said, in seconds: both"
        " are one utterance, and answered as one; 0: he never does.",
    )
    seed: int = Field(
        default=-1,
        ge=-1,
        le=2**31 - 1,
        description="Of the wording of replies, where several are possible: with the same one, the"
        " same words in the same order are answered alike, as when a recording is replayed (backend"
        " `openai`: the persona's fallbacks alone); -1: by chance.",
    )
    model: str = Field(
        default="", description="Folder (`transformers`) or server's name (`openai`) of the model."
    )
    device: Device = Field(
        default="cpu",
        description="Where the model of `transformers` runs: `cpu`, `cuda` or `cuda:N`.",
    )
    dtype: str = Field(default="auto", description="Its number format; `auto`: that of its files.")
    constrained: bool = Field(
        default=True, description="`transformers`: allow well-formed answers only."
    )
    base_url: str = Field(
        default="", description="Address of the `openai` server, such as `http://host:8000/v1`."
    )
    api_key_env: str = Field(
        default="", description="Name of the environment variable that holds the server's key."
    )
    max_tokens: int = Field(
        default=256, ge=16, le=8192, description="Longest answer of a chat model."
    )
    temperature: float = Field(
        default=0.6, ge=0.0, le=2.0, description="Of a chat model; 0: always the likeliest word."
    )
    first_token_timeout_s: ChatSeconds = Field(
        default=5.0, description="Longest wait for a chat model's first word, in seconds."
    )
    stall_timeout_s: ChatSeconds = Field(
        default=3.0, description="Longest gap within its answer, in seconds."
    )
    reply_timeout_s: ChatSeconds = Field(
        default=20.0, description="Longest time for a whole answer, in seconds."
    )
    threads: int = Field(default=1, ge=1, le=256, description="CPU threads for its arithmetic.")


class VoiceSection(Section):
    """What the avatar speaks with."""

    backend: Literal["espeak", "http", "kokoro", "piper", "own"] = Field(
        default="espeak", description="What speaks; `own`: the class that `synthesiser` names."
    )
    synthesiser: str = Field(
        default="",
        pattern=r"^([A-Za-z_][\w.]*:[A-Za-z_]\w*)?$",
        description="Backend own: a subclass of Synthesiser, as `module:Class`; Python finds the"
        " module on its path (docs/extending.md).",
    )
    threads: int = Field(
        default=1, ge=1, le=256, description="CPU threads for the arithmetic of backend kokoro."
    )
    voice: str = Field(
        default="en-us",
        description="espeak: language+variant (en-us+f3); http: the server's name of it; kokoro:"
        " its name (af_heart) or a language; piper: its file, or a name of `avatar models`.",
    )
    speed: float = Field(default=1.0, ge=0.5, le=2.5, description="1: natural; 2: twice as fast.")
    pitch: int = Field(default=50, ge=0, le=99, description="Of backend espeak.")
    volume: float = Field(
        default=1.0, ge=0.0, le=2.0, description="Loudness of the voice; 1: as it is."
    )
    speaker: int = Field(
        default=-1, ge=-1, le=9999, description="Of a piper voice of several; -1: its own choice."
    )
    kept_mb: int = Field(
        default=200,
        ge=0,
        le=100_000,
        description="Backends kokoro and piper: the persona's own sentences are made before they"
        " are wanted, and kept in the user's cache up to this size [MB]; 0: not.",
    )
    base_url: str = Field(
        default="", description="Address of backend http's server (http://.../v1)."
    )
    model: str = Field(default="tts-1", description="Backend http: the server's name of the model.")
    api_key_env: str = Field(
        default="", description="Environment variable that holds the server's key."
    )
    response_format: Literal["wav", "pcm"] = Field(
        default="wav", description="What backend http asks for."
    )
    timeout_s: float = Field(
        default=5.0, ge=0.1, le=600.0, description="Wait for the server's next bytes [s]."
    )
    lead_s: float = Field(
        default=1.0, ge=0.0, le=10.0, description="Speech that goes out before it is demanded [s]."
    )
    ahead_s: float = Field(
        default=10.0, ge=0.5, le=600.0, description="Speech made before it is sent [s]."
    )
    sentence_pause_s: float = Field(
        default=0.2, ge=0.0, le=5.0, description="Silence between two sentences [s]."
    )
    gap_s: float = Field(
        default=0.5, ge=0.0, le=60.0, description="Wait for a sentence that is missing [s]."
    )
    patience_s: float = Field(
        default=15.0, ge=0.1, le=600.0, description="Wait for the next sentence [s]."
    )


class ConversationSection(Section):
    """When turns begin and end."""

    barge_in: bool = Field(
        default=True, description="The visitor may cut a reply short by speaking."
    )
    cache_switch: bool = Field(
        default=True,
        description="A new prompt rebuilds the caches of the past blocks at once"
        " (Cache-Switching); `false`: it flows in with the window.",
    )
    words_timeout_s: float = Field(
        default=1.5,
        ge=0.1,
        le=60.0,
        description="Seconds of silence after which no words will come of what was heard, and the"
        " avatar no longer listens. A held reply waits `held_timeout_s`.",
    )
    held_timeout_s: float = Field(
        default=2.0,
        ge=0.2,
        le=60.0,
        description="A reply that is held goes on after so long, if no words have come: it was a"
        " noise. Longer than a sentence for a recogniser without interim texts.",
    )
    listening_timeout_s: float = Field(
        default=20.0, ge=1.0, le=600.0, description="Listening without news ends after this time."
    )
    thinking_timeout_s: float = Field(
        default=30.0, ge=1.0, le=600.0, description="A reply that does not come is given up."
    )
    speaking_timeout_s: float = Field(
        default=20.0, ge=1.0, le=600.0, description="A reply that breaks off is over."
    )
