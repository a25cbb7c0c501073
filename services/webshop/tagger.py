"""The nouns of names by spaCy, as the benchmark finds them, for data that come without a table of them.

spaCy is no dependency: it is used where it is installed with its small English model. Tagging takes milliseconds a name,
so it is done once and its table kept.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, cast

import orjson

from shared.cache import replacing
from shared.dataset import Say

MODEL: Final = "en_core_web_sm"
_TAGS: Final = ("NOUN", "PROPN")


def tagged(names: Mapping[str, str], cache: Path, say: Say) -> tuple[Mapping[str, Sequence[str]], str] | None:
    """Nouns of ``names`` by their keys, and which model found them; None where spaCy or its model is not installed."""
    if find_spec("spacy") is None or find_spec(MODEL) is None:
        return None
    model = f"{MODEL} {version(MODEL)}"
    digest = hashlib.sha256(orjson.dumps([model, names], option=orjson.OPT_NON_STR_KEYS)).hexdigest()[:16]
    path = cache / "webshop" / f"nouns-{digest}.json"
    with contextlib.suppress(OSError, orjson.JSONDecodeError):
        return orjson.loads(path.read_bytes()), model
    say(f"tagging the nouns of {len(names)} names with {model}, once")
    table = dict(zip(names, _tag(list(names.values())), strict=True))
    with contextlib.suppress(OSError), replacing(path) as file:
        file.write(orjson.dumps(table))
    return table, model


def _tag(names: Sequence[str]) -> list[list[str]]:
    import spacy  # pyright: ignore[reportMissingImports] - an option

    model: Any = cast("Any", spacy).load(MODEL, exclude=["parser", "ner", "lemmatizer"])
    return [[token.text.lower() for token in parsed if token.pos_ in _TAGS] for parsed in model.pipe(names)]
