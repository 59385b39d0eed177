"""Decides what a block is made of: its sound, its state, its prompt, its audio columns."""

from __future__ import annotations

from avatar_nodes.block.audio_features import AudioFeatures
from avatar_nodes.conducting.block_ledger import BlockLedger, IssuedBlock
from avatar_nodes.conducting.block_slicer import BlockSound
from avatar_nodes.conducting.conversation import Conversation
from avatar_nodes.conducting.conversation_table import State
from avatar_nodes.conducting.current_prompt import CurrentPrompt
from avatar_nodes.conducting.speech_intake import SpeechIntake
from avatar_nodes.conducting.state_report import StateReport


class BlockMaker:
    """Makes each block once and records it in the ledger.

    Args:
        intake, prompts, ledger, state: the conductor's.
        conversation: it decides on state, prompt and whose sound is heard; None: the sound does.
        features: turns sound into the model's audio columns.
        cache_switch: in a conversation, a change of the prompt switches the caches.
    """

    def __init__(
        self, intake: SpeechIntake, prompts: CurrentPrompt, ledger: BlockLedger,
        state: StateReport, *, conversation: Conversation | None, features: AudioFeatures,
        cache_switch: bool,
    ) -> None:  # fmt: skip
        self._intake = intake
        self._prompts = prompts
        self._ledger = ledger
        self._state = state
        self._conversation = conversation
        self._features = features
        self._cache_switch = cache_switch

    def make(self, block: int, number: int, now: float, *, due: bool) -> IssuedBlock | None:
        """`block`, the stream's `number`th from 0; None: it is too early to say. `due`: it must be
        issued now to be presented on time."""
        sound = self._sound(block, now, due=due)
        if sound is None:
            return None
        self._prompts.settle()
        self._intake.speaking = not sound.idle
        before, prompt_id = self._ledger.issued(block - 1), self._prompts.current.id
        changed = before is not None and before.prompt_id != prompt_id
        issued = IssuedBlock(
            block=block,
            prompt_id=prompt_id,
            features=self._features.block(sound.window, number, ahead_samples=sound.ahead_samples),
            samples=sound.samples,
            stream=self._intake.stream,
            first_sample=sound.first_sample,
            next_sample=sound.next_sample,
            last=sound.last,
            cache_switch=changed and self._prompts.switch,
        )
        self._ledger.record(issued)
        self._prompts.issued(changed=changed)
        return issued

    def _sound(self, block: int, now: float, *, due: bool) -> BlockSound | None:
        """The block's sound; its state and, in a conversation, its prompt follow."""
        if self._conversation is not None:
            return self._sound_in_conversation(self._conversation, block, now) if due else None
        sound = self._intake.next_block(block, now, waited_enough=due)
        if sound is not None:
            self._state.show(State.IDLE if sound.idle else State.SPEAKING)
        return sound

    def _sound_in_conversation(
        self, conversation: Conversation, block: int, now: float
    ) -> BlockSound | None:
        decision = conversation.at_block_border(now)
        self._state.note_overdue(decision.overdue)
        sound: BlockSound | None
        if decision.plays:
            sound = self._intake.next_block(block, now, waited_enough=True)
        else:
            sound = self._intake.silence()
        if sound is None:
            return None
        self._state.show(decision.state, decision.turn or 0)
        self._prompts.use(decision.prompt, switch=self._cache_switch)
        if decision.plays and not sound.idle:
            conversation.sounds(now)
        if decision.plays and self._intake.over:
            conversation.issued(block)
        return sound
