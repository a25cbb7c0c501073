"""What training would refuse, told before anything is collected for it, with the recipe's field that is to blame.

Nothing here imports PyTorch before it has to: what files alone say is told at once.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from shared.errors import RestepError
from trainer.checkpoint_files import check_checkpoint
from trainer.recipe import Recipe
from trainer.shipped import locate


def check_checkpoints(recipe: Recipe) -> None:
    """Look at the files of the checkpoints a recipe begins with. Raises ``checkpoint_not_found``, ``unsuitable_model``."""
    for field, source in recipe.checkpoints().items():
        with _blaming(field):
            check_checkpoint(source)


def check_training(recipe: Recipe) -> None:
    """Open the base as training will: its tokenizer, its chat format, the layers that LoRA names.

    Raises ``checkpoint_not_found``, ``unsuitable_model``, ``unsuitable_template``, ``invalid_recipe``.
    """
    from trainer.checkpoint import open_base
    from trainer.lora import attach
    from trainer.render import Renderer

    with _blaming("base"):
        base = open_base(locate(recipe.base))
    with _blaming("finetune.chat_format" if recipe.finetune.chat_format else "base"):
        Renderer.from_tokenizer(base.tokenizer, recipe.finetune.chat_format)
    if recipe.finetune.lora is not None:
        attach(base.outline(), recipe.finetune.lora)


@contextmanager
def _blaming(field: str) -> Generator[None]:
    try:
        yield
    except RestepError as error:
        raise RestepError(error.code, f"{field}: {error.detail}") from None
