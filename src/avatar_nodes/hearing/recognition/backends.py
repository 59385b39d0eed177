"""The recognisers by name; each is imported when it is opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from avatar_nodes.hearing.recognition.recogniser import Recogniser, RecogniserError

RECOGNISERS = ("auto", "pocketsphinx", "whisper")
WHISPER = "whisper-base"
"""The store's model that `whisper` uses when none is named."""
DETECTED = "auto"
"""In place of a language: the recogniser is to find which one is spoken."""


def open_recogniser(
    kind: str,
    *,
    model: str | Path = "",
    phrases: Sequence[str] = (),
    language: str = "",
    likely_language: str = "",
    device: str = "cpu",
    threads: int = 1,
    on_lack: Callable[[str], object] = lambda line: None,
) -> Recogniser:
    """The recogniser of the name `kind`, one of RECOGNISERS; `auto` is whisper where it can be
    used, and pocketsphinx elsewhere.

    Args:
        model: folder of its model, or (whisper) a name of the store; empty: pocketsphinx's own,
            whisper's WHISPER of the store.
        phrases: sentences that visitors are likely to say.
        language: BCP 47 of what is spoken; empty: the model's own, or the likely one; DETECTED:
            found (whisper).
        likely_language: what visitors most likely speak (whisper).
        device: `cpu`, `cuda` or `cuda:N` (whisper).
        threads: of the processor (whisper).
        on_lack: called with one line when `auto` cannot be whisper.

    Raises:
        RecogniserError: an unknown name, a missing package, or a model that does not load.
    """
    if kind not in RECOGNISERS:
        raise RecogniserError(f"recogniser {kind!r}: expected one of {', '.join(RECOGNISERS)}")
    of_sphinx = kind == "auto" and model and any(Path(model).rglob("mdef"))
    if kind != "pocketsphinx" and not of_sphinx:
        from avatar_nodes.hearing.recognition.whisper import WhisperRecogniser

        spoken = "" if language == DETECTED else language or likely_language
        try:
            return WhisperRecogniser(
                _stored(model or WHISPER),
                phrases=phrases,
                language=spoken,
                device=device,
                threads=threads,
            )
        except RecogniserError as error:
            if kind == "whisper" or model:
                raise
            on_lack(f"pocketsphinx listens in place of whisper: {error}")
    from avatar_nodes.hearing.recognition.pocketsphinx import PocketSphinxRecogniser

    named = "" if language == DETECTED else language
    return PocketSphinxRecogniser(model=model, phrases=phrases, language=named)


def _stored(model: str | Path) -> Path:
    """The folder of a model that is one, or whose name the store knows."""
    from avatar_nodes.store.store import ModelStore

    store = ModelStore()
    if str(model) not in store.catalogue:
        return Path(model)
    if (found := store.find(str(model))) is None:
        raise RecogniserError(store.lack(str(model)))
    return found
