"""``restep pretrain``: the base student from nothing, by play, vocabulary, training, card; each part resumes.

A student that starts from random weights learns the format in minutes but not to copy names, and cannot be taught a
task (reading comes first). So reading is learned once, from the simulator's own text, and its weights are shipped.
Only variations of the train split are played; what is held out to measure copying is held out of those.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast

import orjson
import torch
from pydantic import Field, ValidationError
from torch import distributed, multiprocessing
from transformers import PreTrainedTokenizerFast

from shared.errors import RestepError
from shared.react import system_prompt
from trainer.copy_accuracy import CopyProbe
from trainer.corpus import tell
from trainer.files import write_whole
from trainer.mixture import Mixture, Source
from trainer.options import Options
from trainer.play import Play, PlayFile
from trainer.plays import collect_plays
from trainer.pretrain_loop import LOG, PretrainLoop, Schedule, Shape
from trainer.ranks import end_with_parent
from trainer.recipe import lay_over
from trainer.vocabulary import build_tokenizer, forms, load_tokenizer
from trainer.worlds.table import PlayOptions, worlds
from trainer.worlds.world import World

log = logging.getLogger(__name__)

HELD_OUT: Final = 40
"""One task of so many is kept for measuring."""
PROBED: Final = 40
"""Held-out plays of a world in a measurement."""


class VocabularyOptions(Options):
    """The sizes of the tokenizer's parts."""

    words: int = Field(default=1100, ge=260, description="byte-level BPE")
    phrases: int = Field(default=800, ge=0, description="fixed phrases")


class PretrainConfig(Options):
    """A pre-training run."""

    out: Path = Field(description="folder of the finished checkpoint; intermediate files go to `work` below it")
    play: PlayOptions = PlayOptions()
    vocabulary: VocabularyOptions = VocabularyOptions()
    shape: Shape = Shape()
    schedule: Schedule = Schedule()
    processes: int = Field(default=2, ge=1, description="processes of one thread each that train together")

    @property
    def work(self) -> Path:
        """Plays, tokenizers, checkpoint and log."""
        return self.out / "work"

    def plays(self, name: str) -> PlayFile:
        """What was played of a world."""
        return PlayFile(self.work / "plays" / f"{name}.jsonl")

    def versions(self, name: str) -> Path:
        """Engine and data that a world was played with."""
        return self.work / "plays" / f"{name}.json"

    @property
    def worlds(self) -> dict[str, World]:
        """Whose text is learned."""
        return worlds(self.play)


def pretrain_config(out: Path, settings: Sequence[str] = ()) -> PretrainConfig:
    """The defaults with ``key.sub=value`` settings laid over them. Raises ``invalid_recipe``."""
    fields: dict[str, Any] = {}
    for setting in settings:
        lay_over(fields, setting)
    try:
        return PretrainConfig.model_validate({**fields, "out": out})
    except ValidationError as error:
        first = error.errors()[0]
        raise RestepError("invalid_recipe", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def pretrain(config: PretrainConfig) -> Path:
    """Make the base in ``config.out``; a run that was stopped goes on. Returns the folder.

    Raises ``missing_extra`` without the simulator, ``store_failed`` when nothing can be written.
    """
    asyncio.run(_play(config))
    tokenizers = Tokenizers(config)
    if not tokenizers.made:
        tokenizers.make()
    arguments: tuple[Any, ...] = (config, config.work / "rendezvous")
    (config.work / "rendezvous").unlink(missing_ok=True)
    multiprocessing.spawn(_train, arguments, nprocs=config.processes)  # pyright: ignore[reportPrivateImportUsage]
    return config.out


async def _play(config: PretrainConfig) -> None:
    for name, world in config.worlds.items():
        environment = world.environment(config.work)
        await environment.start()
        try:
            info = environment.info()
            versions = {"engine": info.engine_version, "data": info.data_version, "split": world.split}
            config.versions(name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(config.versions(name), orjson.dumps(versions))
            await collect_plays(world, environment, config.plays(name), seed=config.play.seed, sessions=config.play.sessions)
        finally:
            await environment.stop()


def held_out(play: Play) -> bool:
    """Whether a play's task is kept for measuring; by a stable hash, whatever else is played."""
    digest = hashlib.sha256(play.task_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") % HELD_OUT == 0


def vocabulary_names(plays: Sequence[Play], world: World) -> list[str]:
    """Names of places, and of things seen in at least two plays; of at most four words."""
    seen: Counter[str] = Counter()
    for play in plays:
        looks = [play.look, *(step.observation for step in play.steps)]
        seen.update(list(dict.fromkeys(name for look in looks for name in world.names(look))))
    places = list(world.places)
    return [*places, *(n for n, times in seen.items() if times > 1 and n not in places and len(n.split()) <= 4)]


class Tokenizers:
    """The tokenizer of a run, its sibling without phrases, and the names both hold as single tokens, by world."""

    def __init__(self, config: PretrainConfig) -> None:
        self._config = config
        self._names_file = config.work / "names.json"

    @property
    def made(self) -> bool:
        """Whether :meth:`make` has finished."""
        return self._names_file.exists()

    def make(self) -> None:
        """Learn the vocabulary from plays, told once, and from exercises."""
        rng = random.Random(0)
        names: dict[str, list[str]] = {}
        texts: dict[bool, list[str]] = {False: [], True: []}
        fixed: list[str] = []
        for name, world in self._config.worlds.items():
            learned = [play for play in self._config.plays(name).plays() if not held_out(play)]
            names[name] = vocabulary_names(learned, world)
            told = [tell(play, world, rng) or [] for play in learned]
            told += [world.exercise(names[name], rng) for _ in range(max(len(learned) // 2, 1))]
            written = (message.text for dialogue in told for message in dialogue if message.role != "system")
            texts[bool(world.phrases)] += written
            fixed += world.phrases
        sizes = self._config.vocabulary
        whole, plain = build_tokenizer(
            texts[False],
            list(dict.fromkeys(name for some in names.values() for name in some)),
            words=sizes.words,
            phrases=sizes.phrases,
            instructions=[system_prompt(world.instruction) for world in self._config.worlds.values()],
            whole=list(dict.fromkeys(word for world in self._config.worlds.values() for word in world.words)),
            codes=[code for world in self._config.worlds.values() for code in world.codes()],
            varied=texts[True],
            fixed=fixed,
        )
        whole.save_pretrained(self._config.work / "tokenizer")
        plain.save_pretrained(self._config.work / "plain")
        write_whole(self._names_file, orjson.dumps(names))

    def names(self, world: str) -> list[str]:
        """Names of a world that are single tokens where they can be."""
        return orjson.loads(self._names_file.read_bytes())[world]

    def load(self, part: str) -> PreTrainedTokenizerFast:
        """``tokenizer`` or ``plain``."""
        return load_tokenizer(self._config.work / part)


def _train(rank: int, config: PretrainConfig, rendezvous: Path) -> None:
    """One process of the training; the first writes the checkpoint folder at the end."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    end_with_parent()
    torch.set_num_threads(1)
    if config.processes > 1:
        distributed.init_process_group(
            "gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=config.processes, timeout=timedelta(hours=1)
        )
    try:
        tokenizers = Tokenizers(config)
        tokenizer = tokenizers.load("tokenizer")
        plays = {name: config.plays(name).plays() for name in config.worlds}
        sources = [
            Source(world, [play for play in plays[name] if not held_out(play)], tokenizers.names(name))
            for name, world in config.worlds.items()
        ]
        mixture = Mixture(sources, tokenizer, tokenizers.load("plain"), config.schedule.seed)
        loop = PretrainLoop(config.shape, config.schedule, mixture, tokenizer, config.work)
        probes = {name: _probe(world, plays[name], tokenizers.names(name), tokenizer) for name, world in config.worlds.items()}
        loop.run(lambda model: {f"{name}_{key}": of for name, p in probes.items() for key, of in p.measure(model).items()})
        if rank == 0:
            export(loop, tokenizer, config)
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


def _probe(world: World, plays: Sequence[Play], names: Sequence[str], tokenizer: PreTrainedTokenizerFast) -> CopyProbe:
    rng = random.Random(0)
    told = [tell(play, world, rng) for play in plays if held_out(play) and play.kind != "expert"]
    return CopyProbe(
        [dialogue[:14] for dialogue in told if dialogue][:PROBED], [*names, *world.codes(), *forms(world.words)], tokenizer
    )


def command(config: PretrainConfig) -> str:
    """The command line that makes this run again."""
    changed = config.model_dump(mode="json", exclude={"out"}, exclude_defaults=True)
    return " ".join(["restep pretrain FOLDER", *(f"--set {field}" for field in _flat(changed))])


def _flat(fields: Mapping[str, Any], above: str = "") -> list[str]:
    """``key.sub=value`` of nested fields."""
    flat: list[str] = []
    for name, value in fields.items():
        inner = cast("dict[str, Any]", value) if isinstance(value, dict) else None
        flat += [f"{above}{name}={orjson.dumps(value).decode()}"] if inner is None else _flat(inner, f"{above}{name}.")
    return flat


def export(loop: PretrainLoop, tokenizer: PreTrainedTokenizerFast, config: PretrainConfig) -> None:
    """Write the checkpoint in Hugging Face's layout, float16 on disk and float32 when loaded, and its card."""
    loop.model.half()
    loop.model.generation_config.eos_token_id = tokenizer.eos_token_id
    loop.model.generation_config.pad_token_id = tokenizer.pad_token_id
    loop.model.save_pretrained(config.out)
    tokenizer.save_pretrained(config.out)
    settings = orjson.loads((config.out / "config.json").read_bytes())
    write_whole(config.out / "config.json", orjson.dumps({**settings, "dtype": "float32"}, option=orjson.OPT_INDENT_2))
    lines = (config.work / LOG).read_bytes().splitlines()
    card = {
        "name": "base",
        "parameters": sum(p.numel() for p in loop.model.parameters()),
        "vocabulary": len(tokenizer),
        **asdict(loop.counts),
        "plays": {name: _played(config, name) for name in config.worlds},
        "measured": orjson.loads(lines[-1]) if lines else {},
        "config": config.model_dump(mode="json", exclude={"out"}),
        "command": command(config),
        "license": "Apache-2.0",
    }
    write_whole(config.out / "card.json", orjson.dumps(card, option=orjson.OPT_INDENT_2))


def _played(config: PretrainConfig, name: str) -> dict[str, Any]:
    file = config.plays(name)
    kinds = Counter(play.kind for play in file.plays())
    digest = hashlib.sha256(file.path.read_bytes()).hexdigest()
    return {**orjson.loads(config.versions(name).read_bytes()), **dict(sorted(kinds.items())), "sha256": digest}
