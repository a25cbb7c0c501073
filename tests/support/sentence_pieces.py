"""A SentencePiece vocabulary like Llama 2's, made in a moment, and Meta's rules for writing a dialogue with it."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import sentencepiece
from transformers import AutoTokenizer, PreTrainedTokenizerBase

TEMPLATE = (
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set rest = messages[1:] %}"
    "{% else %}{% set system = none %}{% set rest = messages %}{% endif %}"
    "{% for message in rest %}{% set text = message['content'] %}"
    "{% if loop.first and system is not none %}{% set text = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + text %}{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + text.strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + text.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
"""What Llama-2-chat's own template writes."""

_SENTENCES = (
    "You are in a house with a laboratory. Act to complete the task.",
    "Your task is to boil water. For compounds without a boiling point, combusting the substance is also acceptable.",
    "In it, you see:  a counter,   a cupboard (closed),    a door to the hallway (closed).",
    "Thought: I should go to the kitchen and look around.",
    "Action: open door to kitchen",
    "<s>[INST] <<SYS>> <</SYS>> [/INST] </s>",
)


def vocabulary_file(folder: Path, pieces: int = 512) -> Path:
    """Train a vocabulary with Llama 2's settings: BPE, byte fallback, no normalisation, a space in front of every text."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]  # bound in C++
        sentence_iterator=iter(_SENTENCES * 3),
        model_writer=model,
        model_type="bpe",
        vocab_size=pieces,
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        minloglevel=2,
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tokenizer.model"
    path.write_bytes(model.getvalue())
    return path


def llama_tokenizer(
    folder: Path, *, template: str | None = TEMPLATE, legacy: bool = True, special: Sequence[str] = ()
) -> PreTrainedTokenizerBase:
    """The Hugging Face tokenizer of a folder with ``tokenizer.model``, as it is read from a checkpoint."""
    settings = {
        "tokenizer_class": "LlamaTokenizer",
        "legacy": legacy,
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "chat_template": template,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    tokenizer = cast("PreTrainedTokenizerBase", AutoTokenizer.from_pretrained(folder))
    if special:
        tokenizer.add_special_tokens({"additional_special_tokens": list(special)})
    return tokenizer


class Meta:
    """The rules of ``llama/generation.py`` and ``llama/tokenizer.py``, straight on the vocabulary, without Hugging Face.

    The system text goes to the head of the first user message; each message is stripped; a user message and its answer
    are one text, encoded with a BOS before and an EOS after it.
    """

    def __init__(self, vocabulary: Path) -> None:
        self._pieces: Any = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary))

    def pairs(self, system: str, dialogue: Sequence[tuple[str, str]]) -> list[tuple[list[int], int]]:
        """Ids of each (user, answer) pair, and how many of them come before the answer."""
        folded = [(f"<<SYS>>\n{system}\n<</SYS>>\n\n{dialogue[0][0]}", dialogue[0][1]), *dialogue[1:]]
        found: list[tuple[list[int], int]] = []
        for user, answer in folded:
            prompt = f"[INST] {user.strip()} [/INST]"
            ids = [1, *self._pieces.encode(f"{prompt} {answer.strip()} "), 2]
            found.append((ids, 1 + len(self._pieces.encode(prompt))))
        return found
