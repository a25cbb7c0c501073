"""The colours that WebShop knows, in the order in which it looks for them (``web_agent_site/engine/normalize.py``).

A value that contains one counts as that colour: "navy blue (striped)" is "blue".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_LIST: Final = """
    alabaster apricot aqua ash asphalt azure banana beige black blue blush bordeaux bronze brown burgundy camel camo
    caramel champagne charcoal cheetah chestnut chocolate christmas coffee cognac copper coral cranberry cream crystal
    dark denim eggplant elephant espresso fuchsia gold granite grape graphite grass gray green grey heather indigo ivory
    ivy khaki lavender lemon leopard light lilac lime magenta maroon mauve merlot midnight mint mocha multicolor
    mushroom mustard natural navy nude olive orange peach pewter pink plum purple rainbow red rose royal rust sand
    sapphire seashell silver skull slate steel stone stonewash sunflower tan taupe teal tiger turquoise violet walnut
    wheat white wine yellow
"""
COLOURS: Final = tuple(_LIST.split())


def plain_colour(value: str | tuple[str, str], colours: Sequence[str] = COLOURS) -> str | tuple[str, str]:
    """The first colour that ``value`` contains, else ``value`` itself. A pair contains a colour only as one of its two."""
    return next((colour for colour in colours if colour in value), value)
