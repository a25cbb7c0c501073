"""A tokenizer of the domain: names are single tokens, and so are the fixed phrases between them.

Copying a name is the skill that comes last, and it comes sooner when a name is one token. What stands between names
in the simulator's replies is a small set of fixed phrases; as single tokens they shorten an episode two to three
times, which on a CPU is two to three times the episodes seen. Anything else falls back to byte-level BPE, so every
text has ids and decodes to itself.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, cast

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

START: Final = "<|im_start|>"
END: Final = "<|im_end|>"
PAD: Final = "<|pad|>"
CHAT_TEMPLATE: Final = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_SPLIT: Final = r"\r?\n\t?| ?[A-Za-z]+| ?\d| ?[^\sA-Za-z\d]+|\s+"
"""Words with their leading space, digits one by one, line breaks with the tab that opens a listed item."""


def _bpe(texts: Iterable[str], size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(  # pyright: ignore[reportAttributeAccessIssue]
        [pre_tokenizers.Split(Regex(_SPLIT), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer: Any = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[PAD, START, END], initial_alphabet=alphabet, min_frequency=5, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def forms(words: Iterable[str]) -> list[str]:
    """Words in lower case and as in a title, each with and without the blank before it."""
    return [f"{blank}{written}" for word in words for written in (word, word.title()) for blank in ("", " ")]


def _with_words(tokenizer: Tokenizer, words: Sequence[str]) -> Tokenizer:
    """The same tokenizer with every form of ``words`` in its vocabulary, to be taken before any merge is tried.

    Unlike an added token, such a word is never found inside a longer one. ``words`` are ASCII letters.
    """
    settings = json.loads(tokenizer.to_str())
    known = settings["model"]["vocab"]
    for form in forms(words):
        known.setdefault(form.replace(" ", "Ġ"), len(known))  # a blank as byte-level BPE writes it
    settings["model"]["ignore_merges"] = True
    return Tokenizer.from_str(json.dumps(settings))


def fixed_phrases(texts: Iterable[str], names: Sequence[str], count: int, weigh: Tokenizer) -> list[str]:
    """The phrases between names that save most tokens. A phrase never crosses the line that opens an action."""
    ordered = sorted(names, key=len, reverse=True)
    cut = re.compile("(?: (?:" + "|".join(map(re.escape, ordered)) + r")(?![a-z])|(?=\nAction:)|(?<=\nAction:)|\d+)")
    seen: Counter[str] = Counter()
    for text in texts:
        seen.update(piece for piece in cut.split(text) if piece)
    saved = {
        piece: times * (len(weigh.encode(piece).ids) - 1)
        for piece, times in seen.items()
        if times >= 20 and 4 <= len(piece) <= 120
    }
    best = sorted((piece for piece in saved if saved[piece] > 0), key=lambda piece: (-saved[piece], piece))
    return best[:count]


def build_tokenizer(
    texts: Sequence[str],
    names: Sequence[str],
    *,
    words: int,
    phrases: int,
    instructions: Sequence[str],
    whole: Sequence[str] = (),
    codes: Sequence[str] = (),
    varied: Sequence[str] = (),
    fixed: Sequence[str] = (),
) -> tuple[PreTrainedTokenizerFast, PreTrainedTokenizerFast]:
    """The tokenizer, and a sibling with the same ids that knows no phrases (to read the same text word by word).

    ``instructions`` are the system texts; they are cut into a few phrases of their own, because one opens every episode.
    ``whole`` words are single tokens in all their :func:`forms`, ``codes`` as they are. From ``varied`` texts parts of
    words are learned but no phrases; ``fixed`` are the phrases that they are known to have.
    """
    base = _with_words(_bpe([*texts, *varied], words), whole)
    whole_names = [f" {name}" for name in names if len(base.encode(f" {name}").ids) > 1]
    base.add_tokens([AddedToken(name, normalized=False) for name in whole_names])
    base.add_tokens([AddedToken(code, normalized=False, single_word=True) for code in codes])
    plain = Tokenizer.from_str(base.to_str())
    chosen = dict.fromkeys(
        [
            "system\n",
            "user\n",
            "assistant\n",
            *(part for text in instructions for part in re.findall(r"(?s).{40,}?(?:[,.\n]|$)|.+$", text)),
            *fixed,
            *fixed_phrases(texts, names, phrases, base),
        ]
    )
    base.add_tokens([AddedToken(phrase, normalized=False) for phrase in chosen if len(base.encode(phrase).ids) > 1])
    return _wrap(base), _wrap(plain)


def _wrap(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    wrapped: Any = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PAD, clean_up_tokenization_spaces=False, model_max_length=2048
    )
    wrapped.add_special_tokens({"additional_special_tokens": [START]})
    wrapped.chat_template = CHAT_TEMPLATE
    return wrapped


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """A saved tokenizer."""
    return cast(PreTrainedTokenizerFast, AutoTokenizer.from_pretrained(folder))
