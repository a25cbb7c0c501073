"""A checkpoint small enough to make in a test: a byte-level vocabulary and a random two-layer Llama."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_SENTENCES = (
    "You are in a house with a laboratory. Act to complete the task.",
    "Your task is to boil water. For compounds without a boiling point, combusting the substance is also acceptable.",
    "This room is called the kitchen. In it, you see: a counter, a cupboard (closed), a door to the hallway (closed).",
    "Thought: I should go to the kitchen and look around.\nAction: open door to kitchen",
    "Thought: That did not help; the cup is empty. I fill it at the sink.\nAction: move metal pot to sink",
    "The door is already open. You move to the kitchen. No known action matches that input.",
    "system user assistant",
)


def tiny_tokenizer(vocabulary: int = 512, chat_template: str | None = CHATML) -> PreTrainedTokenizerFast:
    """Byte-level BPE with the ChatML special tokens: pad 0, start 1, end 2 (also EOS)."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore[reportAttributeAccessIssue]  # settable
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]  # settable
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<|pad|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_SENTENCES, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        eos_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>"],
    )
    fast.chat_template = chat_template
    return fast


def tiny_checkpoint(
    path: Path,
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    context: int = 1024,
    tied: bool = False,
    head: int = 16,
    spread: float = 0.02,
) -> Path:
    """Write a random checkpoint to ``path``: two layers, two heads of size ``head``. Takes well under a second.

    ``spread`` is the standard deviation of its weights: with a large one, what it says depends much on the prompt.
    """
    tokenizer = tiny_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=2 * head,
        intermediate_size=4 * head,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=context,
        tie_word_embeddings=tied,
        initializer_range=spread,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.to(dtype)  # pyright: ignore[reportArgumentType]  # the wrapped method hides its signature
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path
