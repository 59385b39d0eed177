"""Builds the reasoner that the settings name."""

from __future__ import annotations

from avatar_nodes.mind.phrasebook import Phrasebook
from avatar_nodes.mind.reasoner import Reasoner
from avatar_nodes.mind.settings import ReasonerSettings
from avatar_nodes.mind.text_stream import Patience


def build_reasoner(
    settings: ReasonerSettings, phrasebook: Phrasebook, before: Reasoner | None = None
) -> Reasoner:
    """The backend, loaded and warm. Each imports what it needs, and no other does.

    before: the reasoner whose place it takes; it may go on meanwhile, and what both can use is not
    loaded again.

    Raises:
        ReasonerError, EmbeddingError: it cannot work; one line.
    """
    if settings.backend == "persona":
        from avatar_nodes.mind.persona_reasoner import PersonaReasoner

        embedding = before.embedding if isinstance(before, PersonaReasoner) else None
        return PersonaReasoner(phrasebook, embedding)
    if settings.backend == "transformers":
        return _local_model(settings, phrasebook)
    return _server(settings, phrasebook)


def _patience(settings: ReasonerSettings) -> Patience:
    return Patience(
        first_s=settings.first_token_timeout_s,
        stall_s=settings.stall_timeout_s,
        total_s=settings.reply_timeout_s,
    )


def _local_model(settings: ReasonerSettings, phrasebook: Phrasebook) -> Reasoner:
    from avatar_nodes.mind.chat_contract import answer_schema
    from avatar_nodes.mind.chat_reasoner import ChatReasoner
    from avatar_nodes.mind.transformers_chat import LocalModelOptions, TransformersChat

    local = LocalModelOptions(
        folder=settings.model,
        device=settings.device,
        dtype=settings.dtype,
        max_tokens=settings.max_tokens,
        temperature=settings.temperature,
        constrained=settings.constrained,
        threads=settings.threads,
        seed=settings.seed,
    )
    schema = answer_schema(phrasebook.persona, bounded=True)
    return ChatReasoner(TransformersChat(local, schema), phrasebook, _patience(settings))


def _server(settings: ReasonerSettings, phrasebook: Phrasebook) -> Reasoner:
    from avatar_nodes.mind.chat_contract import answer_schema
    from avatar_nodes.mind.chat_reasoner import ChatReasoner
    from avatar_nodes.mind.openai_chat import OpenAIChat, ServerOptions

    server = ServerOptions(
        base_url=settings.base_url,
        model=settings.model,
        api_key_env=settings.api_key_env,
        max_tokens=settings.max_tokens,
        temperature=settings.temperature,
        timeout_s=settings.reply_timeout_s,
        patience_s=settings.first_token_timeout_s,
    )
    schema = answer_schema(phrasebook.persona, bounded=False)
    return ChatReasoner(OpenAIChat(server, schema), phrasebook, _patience(settings))
