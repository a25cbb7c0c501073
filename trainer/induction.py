"""A model that can copy before it learns: two of its layers begin as an induction circuit.

What a small student has to do is copy names, and the circuit that copies (Olsson et al. 2022, "In-context Learning and
Induction Heads": a head that looks one token back, and in a later layer one that looks for the token after an earlier
occurrence of the present one) comes late, since neither half is of use without the other. So the weights begin there, as
other initialisations begin with what training is known to find (Trockman and Kolter 2023, "Mimetic Initialization of
Self-Attention Layers"); all of them are trained.
"""

from __future__ import annotations

from typing import Any, Final, cast

import torch

_POSITION: Final = 6.0
"""Bias of queries and keys in the pairs of dimensions that turn fastest: 0.95 of the attention on one token back."""
_POSITION_SHARE: Final = 3 / 8
"""Of a head's dimensions, those that turn too fast to compare tokens far apart; they tell positions, the others tokens."""
_MARK: Final = 0.08
"""Size of the mark that a token leaves on the next one; an embedding's is 0.02 in every dimension."""
_MATCH: Final = 2.2
_COPY: Final = 0.2
_FAINT: Final = 0.2
"""What else writes into these two layers' output, so that the circuit is heard."""


def begin_with_induction(model: Any, seed: int) -> None:
    """Set heads of the first two layers of a Llama with attention biases, in place.

    Left as it is where the circuit finds no room: one layer, or less than three heads' width.
    """
    config = model.config
    size: int = config.head_dim
    if config.num_hidden_layers < 2 or config.hidden_size < 3 * size:
        return
    draw = torch.Generator().manual_seed(seed)
    square = torch.randn(config.hidden_size, config.hidden_size, generator=draw)
    directions = cast("torch.Tensor", torch.linalg.qr(square)[0]).T
    token, mark, other = (directions[size * part : size * (part + 1)] for part in range(3))
    first, second = (model.model.layers[number].self_attn for number in range(2))
    with torch.no_grad():
        first.o_proj.weight *= _FAINT
        second.o_proj.weight *= _FAINT
        model.model.layers[0].mlp.down_proj.weight *= _FAINT
        _look_back(first, size, float(config.rope_parameters["rope_theta"]))
        first.v_proj.weight[:size] = token
        first.o_proj.weight[:, :size] = _MARK * mark.T
        groups = config.num_attention_heads // config.num_key_value_heads
        for group, copied in zip(range(config.num_key_value_heads), (token, other), strict=False):
            _look_up(second, size, group, group * groups, token, mark, copied)


def _look_back(attention: Any, size: int, theta: float) -> None:
    """The first head (and what shares its keys) attends by position alone: at one token back its bias is in phase."""
    pairs = size // 2
    told = int(pairs * _POSITION_SHARE)
    turn = theta ** (-torch.arange(told) / pairs)  # of a pair of dimensions, by one position
    attention.q_proj.weight[:size] *= 0.1
    attention.k_proj.weight[:size] *= 0.1
    attention.k_proj.bias[:told] = _POSITION
    attention.q_proj.bias[:told] = _POSITION * torch.cos(turn)
    attention.q_proj.bias[pairs : pairs + told] = -_POSITION * torch.sin(turn)


def _look_up(
    attention: Any, size: int, group: int, head: int, token: torch.Tensor, mark: torch.Tensor, copied: torch.Tensor
) -> None:
    """A head whose query is the present token, whose key is the mark of the token before, and which copies what is there."""
    pairs = size // 2
    told = int(pairs * _POSITION_SHARE)
    slow = [dimension for dimension in range(size) if dimension % pairs >= told]
    keys, queries = slice(group * size, (group + 1) * size), slice(head * size, (head + 1) * size)
    for rows, read in ((attention.k_proj.weight[keys], mark), (attention.q_proj.weight[queries], token)):
        rows *= 0.1
        rows[slow] = _MATCH * read[slow]
    attention.v_proj.weight[keys] = copied
    attention.o_proj.weight[:, queries] = _COPY * copied.T
