"""How a chat becomes token ids, as pieces that are only ever appended.

A dialogue is encoded in three kinds of context: its opening, the stop token of an answer, and what stands between
an answer and the next one. If those pieces, put together, are what the model's own chat template gives for the
whole dialogue, then history never has to be encoded again, and the ids a server saw are the ids that are trained.
:func:`choose_format` checks exactly that when a tokenizer is loaded. A new format is one more subclass of
:class:`ChatFormat`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from shared.errors import RestepError

_PROBES: Final = (
    ("Look: a cup, 2 doors.", "Thought: I need the cup.\nAction: take cup"),
    ("You take it.\nIt is hot (80 C).", "Thought: leave it\nAction: wait"),
    ("Time passes.", "Thought: done\nAction: focus on cup"),
)
_SYSTEM: Final = "You act.\nAnswer with a thought and an action."
_SPACE: Final = "\u2581"
"""How vocabularies of sentence pieces write a space."""


class Codec:
    """A typed, narrow view of a Hugging Face tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self._edge = self.encode("\n")

    @property
    def sentence_pieces(self) -> bool:
        """True for a vocabulary that writes a space of its own in front of every text."""
        return self.tokenizer.convert_ids_to_tokens(self._edge)[:1] == [_SPACE]

    def encode(self, text: str, *, special: bool = False) -> list[int]:
        """Token ids without automatic BOS or EOS.

        ``special`` says whether names of special tokens inside the text become those tokens: yes for what a
        template wrote, never for what an engine, a model or a person did.
        """
        return self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=not special)

    def encode_inside(self, text: str) -> list[int]:
        """Token ids of text that other text precedes: no space is added in front."""
        if not self.sentence_pieces:
            return self.encode(text)
        ids = self.encode(f"\n{text}")
        if ids[: len(self._edge)] != self._edge:
            raise RestepError("unsuitable_template", f"the vocabulary has a piece that begins with a line break, in {text!r}")
        return ids[len(self._edge) :]

    def decode(self, ids: Sequence[int]) -> str:
        """The text, special tokens spelled out, spaces untouched."""
        text = self.tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return cast("str", text)

    def special_id(self, token: str) -> int | None:
        """The id of a special token, or None when the vocabulary has no such token."""
        ids = self.encode(token, special=True)
        return ids[0] if len(ids) == 1 and ids != self.encode(token) else None

    def template(self, messages: Sequence[dict[str, str]], *, prompt: bool) -> str:
        """The chat template applied to ``messages``, with the generation prompt when ``prompt``."""
        text = self.tokenizer.apply_chat_template(
            cast("list[dict[str, Any]]", list(messages)), tokenize=False, add_generation_prompt=prompt
        )
        return cast("str", text)


class ChatFormat(ABC):
    """The context pieces of a dialogue as ids. ``stop_id`` ends an answer."""

    name: str
    codec: Codec
    stop_id: int

    @abstractmethod
    def opening(self, system: str, user: str) -> list[int]:
        """System message, first user message and generation prompt."""

    @abstractmethod
    def between(self, user: str) -> list[int]:
        """What follows an answer's stop token up to the next answer: rest of its turn, user message, prompt."""

    def head(self, system: str, user: str) -> list[dict[str, str]]:
        """The opening as messages for the chat template."""
        return [{"role": "system", "content": system}, {"role": "user", "content": user}]

    def answer(self, text: str, *, first: bool, last: bool = True) -> list[int]:
        """Assistant text up to the stop token; ``first`` and ``last`` say whether it begins and ends its turn."""
        del first, last  # for a format that writes something at the borders of a turn
        return self.codec.encode_inside(text)


class ChatML(ChatFormat):
    """``<|im_start|>role\\ntext<|im_end|>\\n``. Special tokens are hard borders, so texts are encoded on their own."""

    name = "chatml"

    def __init__(self, codec: Codec) -> None:
        start, stop = codec.special_id("<|im_start|>"), codec.special_id("<|im_end|>")
        if start is None or stop is None:
            raise RestepError("unsuitable_template", "the vocabulary lacks the ChatML tokens <|im_start|> and <|im_end|>")
        self.codec = codec
        self.stop_id = stop
        self._start = start
        self._newline = codec.encode("\n")
        self._prompt = [start, *codec.encode("assistant\n")]

    def opening(self, system: str, user: str) -> list[int]:
        """See :meth:`ChatFormat.opening`."""
        return [*self._message("system", system), *self._newline, *self._message("user", user), *self._newline, *self._prompt]

    def between(self, user: str) -> list[int]:
        """See :meth:`ChatFormat.between`."""
        return [*self._newline, *self._message("user", user), *self._newline, *self._prompt]

    def _message(self, role: str, text: str) -> list[int]:
        return [self._start, *self.codec.encode(f"{role}\n{text}"), self.stop_id]


class Llama2(ChatFormat):
    """``<s>[INST] user [/INST] answer </s>``, id for id as Meta's own code has it (llama/generation.py of Llama 2).

    There every pair of user message and answer is one text with a BOS of its own, and messages are stripped. Sentence
    pieces never reach from a word into the space after it, so the parts of a pair can be encoded one by one.
    """

    name = "llama2"

    def __init__(self, codec: Codec) -> None:
        start, stop = codec.tokenizer.bos_token_id, codec.tokenizer.eos_token_id
        if not codec.sentence_pieces or not isinstance(start, int) or not isinstance(stop, int):
            raise RestepError("unsuitable_template", "the vocabulary is not one of sentence pieces with a BOS and an EOS token")
        self.codec = codec
        self.stop_id = stop
        self._start = start

    def opening(self, system: str, user: str) -> list[int]:
        """See :meth:`ChatFormat.opening`."""
        return self.between(f"<<SYS>>\n{system}\n<</SYS>>\n\n{user}")

    def between(self, user: str) -> list[int]:
        """See :meth:`ChatFormat.between`."""
        return [self._start, *self.codec.encode_inside(f" [INST] {user.strip()} [/INST]")]

    def answer(self, text: str, *, first: bool, last: bool = True) -> list[int]:
        """See :meth:`ChatFormat.answer`. The space before the stop token belongs to the answer."""
        text = text.lstrip() if first else text
        text = text.rstrip() if last else text
        return self.codec.encode_inside(f"{' ' if first else ''}{text}{' ' if last else ''}")


class Template(ChatFormat):
    """Any chat template whose later messages do not change how earlier ones are written.

    The pieces are differences of rendered texts: what a template adds to a fixed dialogue for one more message.
    A template that refuses the system role is given the system text at the head of the first user message; spaces
    that it writes around an answer are part of the answer.
    Names of special tokens inside messages cannot be told from the template's own and do become special tokens.
    """

    name = "template"

    def __init__(self, codec: Codec) -> None:
        if not getattr(codec.tokenizer, "chat_template", None):
            raise RestepError("unsuitable_template", "the tokenizer has no chat template")
        self.codec = codec
        self._folds_system = not self._takes_system()
        user, answer = _PROBES[0]
        self._history = [*self.head(_SYSTEM, user), {"role": "assistant", "content": answer}]
        self._prompt = self._render(self._history[:-1])
        self._before, self._after = self._spaces(self._whole(_PROBES[1][0])[len(self._prompt) :], answer)
        self._prefix = f"{self._prompt}{self._before}{answer}{self._after}"
        prompt, prompted = (codec.encode(text, special=True) for text in (self._prompt, f"{self._prompt}x"))
        self._encode_first = codec.encode if prompted[len(prompt) :] == codec.encode("x") else codec.encode_inside
        self.stop_id = self._tail(_PROBES[1][0])[0]
        if self.stop_id not in self._special_tokens().values():
            text = codec.decode([self.stop_id])
            raise RestepError("unsuitable_template", f"the template ends an answer with {text!r}, which is no special token")

    def opening(self, system: str, user: str) -> list[int]:
        """See :meth:`ChatFormat.opening`."""
        return self.codec.encode(self._render(self.head(system, user)), special=True)

    def between(self, user: str) -> list[int]:
        """See :meth:`ChatFormat.between`."""
        stop, *rest = self._tail(user)
        if stop != self.stop_id:
            raise RestepError("unsuitable_template", "the template ends an answer differently from message to message")
        return rest

    def _takes_system(self) -> bool:
        try:
            text = self._render(super().head(_SYSTEM, _PROBES[0][0]))
        except RestepError:
            return False
        return _SYSTEM in text

    def head(self, system: str, user: str) -> list[dict[str, str]]:
        """See :meth:`ChatFormat.head`."""
        return [{"role": "user", "content": f"{system}\n\n{user}"}] if self._folds_system else super().head(system, user)

    def answer(self, text: str, *, first: bool, last: bool = True) -> list[int]:
        """See :meth:`ChatFormat.answer`."""
        encode = self._encode_first if first else self.codec.encode_inside
        return encode(f"{self._before if first else ''}{text}{self._after if last else ''}")

    def _tail(self, user: str) -> list[int]:
        whole = self._whole(user)
        if not whole.startswith(self._prefix):
            raise _mismatch(self.codec, self.codec.encode(whole, special=True), self.codec.encode(self._prefix, special=True))
        return self.codec.encode(whole[len(self._prefix) :], special=True)

    def _whole(self, user: str) -> str:
        return self._render([*self._history, {"role": "user", "content": user}])

    def _spaces(self, written: str, answer: str) -> tuple[str, str]:
        """What the template writes around an answer, up to the special token that ends it, if it is only space."""
        before, found, after = written.partition(answer)
        ends = [after.index(token) for token in self._special_tokens() if token in after]
        after = after[: min(ends, default=0)]
        return ("", "") if not found or before.strip() or after.strip() else (before, after)

    def _special_tokens(self) -> dict[str, int]:
        tokenizer: Any = self.codec.tokenizer
        named = {token: tokenizer.convert_tokens_to_ids(token) for token in tokenizer.all_special_tokens}
        return cast("dict[str, int]", tokenizer.get_added_vocab() | named)

    def _render(self, messages: Sequence[dict[str, str]]) -> str:
        try:
            return self.codec.template(messages, prompt=True)
        except TemplateError as error:
            raise RestepError("unsuitable_template", f"the template refuses a dialogue: {error}") from None


FORMATS: Final[dict[str, Callable[[Codec], ChatFormat]]] = {"chatml": ChatML, "llama2": Llama2, "template": Template}


def choose_format(tokenizer: PreTrainedTokenizerBase, name: str | None = None) -> ChatFormat:
    """The format of a tokenizer, checked against its own chat template where it has one.

    Without ``name`` the first format that fits. Raises ``unsuitable_template`` with the first differing token.
    """
    if name is not None and name not in FORMATS:
        raise RestepError("unsuitable_template", f"unknown format {name!r}; known: {', '.join(FORMATS)}")
    codec = Codec(tokenizer)
    refused: RestepError | None = None
    for candidate in [name] if name else FORMATS:
        try:
            chosen = FORMATS[candidate](codec)
            if getattr(tokenizer, "chat_template", None):
                _check_against_template(chosen)
            _check_round_trip(chosen)
        except RestepError as error:
            refused = error
        else:
            return chosen
    assert refused is not None
    raise refused


def _check_against_template(chat: ChatFormat) -> None:
    """Append-only rendering of dialogues of one to three answers must be how the template's whole rendering begins."""
    user, _ = _PROBES[0]
    messages = chat.head(_SYSTEM, user)
    ours = chat.opening(_SYSTEM, user)
    _check_prefix(chat.codec, messages, ours, prompt=True)
    for turn, (_, answer) in enumerate(_PROBES):
        ours += [*chat.answer(answer, first=True), chat.stop_id]
        messages.append({"role": "assistant", "content": answer})
        _check_prefix(chat.codec, messages, ours, prompt=False)
        if turn + 1 < len(_PROBES):
            observation = _PROBES[turn + 1][0]
            ours += chat.between(observation)
            messages.append({"role": "user", "content": observation})
            _check_prefix(chat.codec, messages, ours, prompt=True)


def _check_prefix(codec: Codec, messages: Sequence[dict[str, str]], ours: list[int], *, prompt: bool) -> None:
    try:
        whole = codec.encode(codec.template(messages, prompt=prompt), special=True)
    except TemplateError as error:
        raise RestepError("unsuitable_template", f"the template refuses a dialogue: {error}") from None
    if (whole if prompt else whole[: len(ours)]) != ours:
        raise _mismatch(codec, whole, ours)


def _check_round_trip(chat: ChatFormat) -> None:
    """Text must survive its encoding, also where one turn is encoded in two pieces."""
    for _, answer in _PROBES:
        cut = answer.index(" ")
        pieces = [*chat.answer(answer[:cut], first=True, last=False), *chat.answer(answer[cut:], first=False)]
        if chat.codec.decode(pieces).strip() != answer:
            raise RestepError("unsuitable_template", f"the vocabulary turns {answer!r} into {chat.codec.decode(pieces)!r}")


def _mismatch(codec: Codec, whole: Sequence[int], ours: Sequence[int]) -> RestepError:
    place = next((i for i, (a, b) in enumerate(zip(whole, ours, strict=False)) if a != b), min(len(whole), len(ours)))

    def show(ids: Sequence[int]) -> str:
        if place >= len(ids):
            return "nothing"
        token = codec.tokenizer.convert_ids_to_tokens(ids[place])
        return f"{codec.decode([ids[place]]) or token!r} ({ids[place]})"  # a sentence piece that is a space decodes to nothing

    return RestepError(
        "unsuitable_template",
        f"the chat template is not append-only: token {place} of the whole is {show(whole)}, of its parts {show(ours)}",
    )
