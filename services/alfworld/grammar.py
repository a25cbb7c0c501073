"""How a game words what happens: the text grammar of its file (TextWorld's TWL2), read into alternatives of symbols.

Only its form is understood here; :mod:`services.alfworld.text` gives it meaning for one domain. Form that is not
understood is refused.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from shared.errors import RestepError

_TOKEN: Final = re.compile(r'\s+|#[^\n]*|(?P<block>"""(?:.|\n)*?""")|(?P<text>"[^"]*")|(?P<word>[\w/-]+)|(?P<mark>::|[;{}])')
_SYMBOL: Final = re.compile(
    r"(?P<list>\[)?\{(?:\#(?P<inner>[\w()/!<>\-\s,.]+)\#|(?P<expression>[^|\[\]{}\n<>#]+?))\s*(?:\|\s*(?P<given>[^;|{}\n\[\]#]+))?\}(?(list)\])"
    r"|\#(?P<rule>[\w()/!<>\-\s,.]+)\#"
    r'|(?P<literal>[^;|"<>\[\]#{}]+)'
)
_MENTION: Final = re.compile(r"\s*(\w+)\s*\(\s*([^()]*)\)\s*(?:&|$)")
_LEADING: Final = re.compile(r"(?://[^\n]*\n?|\s+)*")


@dataclass(frozen=True, slots=True)
class Mention:
    """``predicate(name: type, ...)`` in a condition; ``not_predicate`` is a predicate of its own here."""

    predicate: str
    arguments: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Literal:
    """Text as it stands."""

    text: str


@dataclass(frozen=True, slots=True)
class Rule:
    """What the rule of this name derives."""

    name: str


@dataclass(frozen=True, slots=True)
class Expression:
    """``inner`` for everything that ``given`` finds; a list has separators and a word for nothing."""

    inner: Rule | str
    given: tuple[Mention, ...]
    listed: bool


Symbol: TypeAlias = Literal | Rule | Expression


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way a rule may go; the first whose condition holds is taken."""

    condition: tuple[Mention, ...]
    text: str


@dataclass(frozen=True, slots=True)
class ActionText:
    """The command of an action and the reply to it."""

    template: str
    feedback: str


@dataclass(frozen=True, slots=True)
class Grammar:
    """Rules by name, and the texts of actions by the lower-case name of the action."""

    rules: dict[str, tuple[Alternative, ...]]
    actions: dict[str, ActionText]


def parse_grammar(text: str) -> Grammar:
    """The grammar in ``text``. Raises ``data_corrupt``."""
    tokens = _Tokens(text)
    rules: dict[str, tuple[Alternative, ...]] = {}
    actions: dict[str, ActionText] = {}
    while not tokens.ended:
        head = tokens.take("word")
        if head == "grammar":
            tokens.expect("::")
            rules.update(_rules(tokens.take("block")))
            tokens.expect(";")
        elif head == "action":
            name = tokens.take("word")
            fields = _fields(tokens)
            if "template" not in fields or "feedback" not in fields:
                raise RestepError("data_corrupt", f"grammar: action {name} has no template or no feedback")
            rules.update(_rules(fields.get("grammar", "{}")))
            actions[name.lower()] = ActionText(fields["template"], fields["feedback"])
        else:
            raise RestepError("data_corrupt", f"grammar: {head!r} is neither a grammar nor an action")
    return Grammar(rules, actions)


class _Tokens:
    """The words of a grammar file, one after the other."""

    def __init__(self, text: str) -> None:
        self._found: list[tuple[str, str]] = []
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise RestepError("data_corrupt", f"grammar: cannot read {text[position : position + 30]!r}")
            if match.lastgroup is not None:
                self._found.append((match.lastgroup, match[0]))
            position = match.end()
        self._found.reverse()

    @property
    def ended(self) -> bool:
        return not self._found

    def take(self, kind: str) -> str:
        """The next token, without its quotes. Raises ``data_corrupt`` when it is not of ``kind``."""
        found, token = self._found.pop() if self._found else ("end", "")
        if found != kind:
            raise RestepError("data_corrupt", f"grammar: {found} {token[:30]!r} where a {kind} belongs")
        quotes = {"block": 3, "text": 1}.get(kind, 0)
        return token[quotes : len(token) - quotes]

    def expect(self, mark: str) -> None:
        """Step over ``mark``."""
        if self.take("mark") != mark:
            raise RestepError("data_corrupt", f"grammar: {mark!r} is missing")

    def at(self, mark: str) -> bool:
        """Whether ``mark`` comes next."""
        return bool(self._found) and self._found[-1] == ("mark", mark)


def _fields(tokens: _Tokens) -> dict[str, str]:
    fields: dict[str, str] = {}
    tokens.expect("{")
    while not tokens.at("}"):
        key = tokens.take("word")
        if key not in ("template", "feedback", "grammar", "pddl"):
            raise RestepError("data_corrupt", f"grammar: an action has no {key!r}")
        tokens.expect("::")
        fields[key] = tokens.take("text" if key in ("template", "feedback") else "block")
        tokens.expect(";")
    tokens.expect("}")
    return fields


def _rules(block: str) -> dict[str, tuple[Alternative, ...]]:
    lines = [line for line in block.split("\n") if not line.lstrip().startswith("#")]
    try:
        loaded: dict[str, list[dict[str, Any]]] = json.loads("\n".join(lines))
        return {
            name: tuple(Alternative(parse_mentions(str(one.get("condition", ""))), str(one["rhs"])) for one in alternatives)
            for name, alternatives in loaded.items()
        }
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise RestepError("data_corrupt", f"grammar: the rules cannot be read: {error}") from None


def parse_mentions(text: str) -> tuple[Mention, ...]:
    """``p(a:t, b:t) & q(...)``; nothing for nothing. Raises ``data_corrupt``."""
    mentions: list[Mention] = []
    position = 0
    while position < len(text.rstrip()):
        match = _MENTION.match(text, position)
        if match is None:
            raise RestepError("data_corrupt", f"grammar: {text!r} is no condition")
        pairs = [part.partition(":") for part in match[2].split(",") if part.strip()]
        mentions.append(Mention(match[1], tuple((name.strip(), kind.strip() or name.strip()) for name, _, kind in pairs)))
        position = match.end()
    return tuple(mentions)


def parse_symbols(text: str) -> tuple[Symbol, ...]:
    """The symbols of a text. Blanks and ``//`` lines at its beginning are not part of it. Raises ``data_corrupt``."""
    leading = _LEADING.match(text)
    position = leading.end() if leading is not None else 0
    symbols: list[Symbol] = []
    while position < len(text):
        match = _SYMBOL.match(text, position)
        if match is None:
            raise RestepError("data_corrupt", f"grammar: cannot read {text[position : position + 40]!r}")
        position = match.end()
        if match["literal"] is not None:
            symbols.append(Literal(match["literal"].replace("\\n", "\n")))
        elif match["rule"] is not None:
            symbols.append(Rule(match["rule"]))
        else:
            inner = Rule(match["inner"]) if match["inner"] is not None else match["expression"].strip()
            symbols.append(Expression(inner, parse_mentions(match["given"] or ""), match["list"] is not None))
    return tuple(symbols)
