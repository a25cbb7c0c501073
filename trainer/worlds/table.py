"""Which worlds the base is pre-trained on."""

from __future__ import annotations

from pydantic import Field

from trainer.options import Options
from trainer.worlds.alfworld import AlfworldPlays, AlfworldWorld
from trainer.worlds.sciworld import SciworldPlays, SciworldWorld
from trainer.worlds.webshop import WebshopPlays, WebshopWorld
from trainer.worlds.world import World


class PlayOptions(Options):
    """What is played of every world, and how."""

    seed: int = Field(default=0, description="of tasks, errands and mistakes")
    sessions: int = Field(default=4, ge=1, description="episodes at a time")
    sciworld: SciworldPlays = SciworldPlays()
    alfworld: AlfworldPlays = AlfworldPlays()
    webshop: WebshopPlays = WebshopPlays()


def worlds(options: PlayOptions) -> dict[str, World]:
    """The worlds by their environments' names."""
    return {
        "sciworld": SciworldWorld(options.sciworld),
        "alfworld": AlfworldWorld(options.alfworld),
        "webshop": WebshopWorld(options.webshop),
    }
