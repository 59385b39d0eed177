"""Builds the reasoner that the parameters name."""

from __future__ import annotations

from dataclasses import dataclass, field

from avatar_nodes.mind.phrasebook import Phrasebook
from avatar_nodes.mind.reasoner import Reasoner, ReasonerError
from avatar_nodes.mind.text_stream import Patience

BACKENDS = ("persona", "transformers", "openai")


@dataclass(frozen=True)
class BackendOptions:
    """What a backend needs beside the persona; `persona` needs nothing of it.

    `model` is a folder (transformers) or the server's name for it (openai).
    """

    backend: str = "persona"
    model: str = ""
    device: str = "cpu"
    dtype: str = "auto"
    constrained: bool = True
    base_url: str = ""
    api_key_env: str = ""
    max_tokens: int = 256
    temperature: float = 0.6
    threads: int = 1
    patience: Patience = field(default_factory=Patience)


def build_reasoner(
    options: BackendOptions, phrasebook: Phrasebook, before: Reasoner | None = None
) -> Reasoner:
    """The backend, loaded and warm. Each imports what it needs, and no other does.

    before: the reasoner whose place it takes; it may go on meanwhile, and what both can use is not
    loaded again.

    Raises:
        ReasonerError, EmbeddingError: it cannot work; one line.
    """
    if options.backend == "persona":
        from avatar_nodes.mind.persona_reasoner import PersonaReasoner

        embedding = before.embedding if isinstance(before, PersonaReasoner) else None
        return PersonaReasoner(phrasebook, embedding)
    if options.backend == "transformers":
        return _local_model(options, phrasebook)
    if options.backend == "openai":
        return _server(options, phrasebook)
    raise ReasonerError(f"backend: expected one of {', '.join(BACKENDS)}, got {options.backend!r}")


def _local_model(options: BackendOptions, phrasebook: Phrasebook) -> Reasoner:
    from avatar_nodes.mind.chat_contract import answer_schema
    from avatar_nodes.mind.chat_reasoner import ChatReasoner
    from avatar_nodes.mind.transformers_chat import LocalModelOptions, TransformersChat

    local = LocalModelOptions(
        folder=options.model,
        device=options.device,
        dtype=options.dtype,
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        constrained=options.constrained,
        threads=options.threads,
    )
    schema = answer_schema(phrasebook.persona, bounded=True)
    return ChatReasoner(TransformersChat(local, schema), phrasebook, options.patience)


def _server(options: BackendOptions, phrasebook: Phrasebook) -> Reasoner:
    from avatar_nodes.mind.chat_contract import answer_schema
    from avatar_nodes.mind.chat_reasoner import ChatReasoner
    from avatar_nodes.mind.openai_chat import OpenAIChat, ServerOptions

    server = ServerOptions(
        base_url=options.base_url,
        model=options.model,
        api_key_env=options.api_key_env,
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        timeout_s=options.patience.total_s,
    )
    schema = answer_schema(phrasebook.persona, bounded=False)
    return ChatReasoner(OpenAIChat(server, schema), phrasebook, options.patience)
