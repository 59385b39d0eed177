"""A very small Qwen3 over bytes, made here: with random weights, or taught one answer by heart."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

PARROT_ANSWER = {
    "action_prompt": "A person nods in agreement.",
    "reply": "Yes, I do. I am a parrot!",
    "stable_prompt": "A person talks with a wide smile.",
}
"""An answer to learn by heart."""

_START, _END, _PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz ,.\n"


def build_tiny_chat_model(folder: Path, *, seed: int = 0, answer: str = "") -> Path:
    """Write the model's files into `folder`.

    With `answer`, it is trained until it says just that, whatever it is asked.
    """
    torch.manual_seed(seed)
    tokenizer = _byte_tokenizer()
    vocabulary = tokenizer.get_vocab()
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        max_position_embeddings=8192,
        tie_word_embeddings=False,
        # What was said long ago cannot distract it from what it has learnt.
        use_sliding_window=True,
        sliding_window=32,
        max_window_layers=0,
        bos_token_id=None,
        eos_token_id=vocabulary[_END],
        pad_token_id=vocabulary[_PAD],
    )
    model = Qwen3ForCausalLM(config).float()
    if answer:
        _teach(model, tokenizer, answer)
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _byte_tokenizer() -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({sign: n for n, sign in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=_END,
        pad_token=_PAD,
        additional_special_tokens=[_START],
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = _TEMPLATE
    return fast


def _teach(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, answer: str) -> None:
    """Show the answer after random words until the model repeats it."""
    told = tokenizer.encode(answer) + [tokenizer.eos_token_id]
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    model.train()
    for _ in range(1500):
        signs = torch.randint(len(_LETTERS), (4, 60)).tolist()
        asked = [
            tokenizer.encode("".join(_LETTERS[n] for n in row) + f"{_END}\n{_START}assistant\n")
            for row in signs
        ]
        tokens = torch.tensor([words + told for words in asked])
        labels = tokens.clone()
        labels[:, : len(asked[0])] = -100
        loss = model(input_ids=tokens, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 0.003:
            return
    raise AssertionError(f"the answer was not learnt: {loss.item():.3f}")
