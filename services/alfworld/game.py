"""A game, and a play of it: the default engine.

A game is read once and shared by all who play it; a play is a list of tables, nearly all of them the game's own.
Nothing is grounded: what can be done is searched in each state, from the few facts about where the agent is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from services.alfworld.action import Action
from services.alfworld.domain import literals
from services.alfworld.problem import Problem, parse_problem
from services.alfworld.query import Planner, Scope, Step, conjuncts, is_variable, stop
from services.alfworld.rules import Rulebook, Rules, split_task
from services.alfworld.source import GameText
from services.alfworld.tables import Fact, Layout, Path, Tables, updated
from services.alfworld.text import NEGATED
from shared.errors import RestepError

NOTHING: Final = "Nothing happens."
"""The original's reply to whatever it does not understand."""


@dataclass(frozen=True, slots=True)
class Move:
    """An action with its parameters: something that can be done."""

    action: Action
    parameters: Fact


@dataclass(frozen=True)
class Game:
    """One game in one wording. ``tables`` are its first state; states are made from it by :meth:`after`."""

    rules: Rules
    problem: Problem
    tables: Tables
    constants: tuple[int, ...]
    stores: Mapping[str, tuple[tuple[int, Path], ...]]
    goal: tuple[Step, ...]
    goal_frame: tuple[int, ...]
    task: str
    walkthrough: tuple[str, ...] | None
    annotations: tuple[str, ...] = ()
    _commands: list[dict[Any, str]] = field(default_factory=list[dict[Any, str]])
    _meaning: dict[str, Move] = field(default_factory=dict[str, Move])
    _settled: dict[Any, tuple[str, ...]] = field(default_factory=dict[Any, tuple[str, ...]])

    @property
    def room(self) -> str:
        """The first observation: a look around."""
        return self.rules.look(self.tables, [-1] * self.rules.width, self.problem.names)

    def moves(self, tables: Tables, action: Action) -> list[Move]:
        """All ways in which ``action`` can be done."""
        return [Move(action, parameters) for parameters in self._found(tables, action)]

    def _found(self, tables: Tables, action: Action) -> list[Fact]:
        found: list[Fact] = []
        binding = [*self.constants, *[-1] * (action.width - len(self.constants))]
        for search in action.searches:
            search(tables, binding, found)
        return list(dict.fromkeys(found)) if action.repeated else found

    def _command(self, action: Action, parameters: Fact) -> str:
        """The words for an action on ``parameters``, remembered by those that matter."""
        phrases = action.phrases
        commands = self._commands[action.number]
        key = phrases.named(parameters)
        command = commands.get(key)
        if command is None:
            binding = [*parameters, *[-1] * (phrases.width - len(parameters))]
            command = commands[key] = phrases.command(self.tables, binding, self.problem.names)
            self._meaning.setdefault(command, Move(action, parameters))
        return command

    def command(self, move: Move) -> str:
        """The words for a move."""
        return self._command(move.action, move.parameters)

    def find(self, tables: Tables, command: str) -> Move | None:
        """The move that ``command`` asks for; None where it asks for nothing that can be done."""
        if (meant := self._meaning.get(command)) is not None and (move := self._again(tables, meant)) is not None:
            return move
        for action in self.rules.actions:
            if command.startswith(action.phrases.prefix):
                for parameters in self._found(tables, action):
                    if self._command(action, parameters) == command:
                        return Move(action, parameters)
        return None

    def _again(self, tables: Tables, meant: Move) -> Move | None:
        """A move with the same words as one found before, perhaps in another state."""
        action, first = meant.action, len(self.constants)
        binding = [*self.constants, *[-1] * (action.width - first)]
        for place in action.phrases.places:
            binding[first + place] = meant.parameters[place]
        found: list[Fact] = []
        for search in action.recalls:
            search(tables, binding, found)
        return Move(action, found[0]) if found else None

    def admissible(self, tables: Tables) -> list[str]:
        """Every command that :meth:`find` would find, sorted."""
        commands = set(self._standing(tables))
        for action in self.rules.elsewhere:
            for parameters in self._found(tables, action):
                commands.add(self._command(action, parameters))
        return sorted(commands)

    def _standing(self, tables: Tables) -> tuple[str, ...]:
        """Commands that follow from where the agent stands, remembered for each place."""
        local = self.rules.local
        place = tables[local.table].get((), ()) if local.actions else ()
        commands = self._settled.get(place)
        if commands is None:
            found = [(action, parameters) for action in local.actions for parameters in self._found(tables, action)]
            commands = self._settled[place] = tuple(sorted(self._command(action, parameters) for action, parameters in found))
        return commands

    def after(self, tables: Tables, move: Move) -> Tables:
        """The state that ``move`` leads to; ``tables`` stay as they are."""
        action = move.action
        binding = [*self.constants, *move.parameters, *[-1] * (action.width - len(self.constants) - action.arity)]
        made: dict[tuple[str, Fact], bool] = {}
        for deed in action.deeds:
            if deed.test is None or deed.test(tables, binding):
                made[deed.predicate, tuple(binding[place] for place in deed.places)] = deed.present
        after = tables.copy()
        for (predicate, fact), present in made.items():
            for number, path in self.stores.get(predicate, ()):
                updated(after, number, path, fact, present)
            for number, path in self.stores.get(NEGATED + predicate, ()):
                updated(after, number, path, fact, not present)
        return after

    def reply(self, tables: Tables, move: Move) -> str:
        """What the player reads when ``move`` has led to ``tables``."""
        phrases = move.action.phrases
        binding = [*move.parameters, *[-1] * (phrases.width - len(move.parameters))]
        return phrases.feedback(tables, binding, self.problem.names)

    def won(self, tables: Tables) -> bool:
        """Whether the goal is met."""
        return any(search(tables, list(self.goal_frame), []) for search in self.goal)


def open_game(text: GameText, book: Rulebook, style: str) -> Game:
    """The game in ``text``, worded in ``style``. Raises ``data_corrupt``, naming the task."""
    try:
        return _opened(text, book, style)
    except RestepError as error:
        raise RestepError(error.code, f"{text.task_id}: {error.detail}") from None


def _opened(text: GameText, book: Rulebook, style: str) -> Game:
    grammar, task = split_task(text.grammar)
    problem = parse_problem(text.problem, book.domain(text.domain))
    rules = book.rules(text.domain, grammar, style, problem.facts)
    layout = rules.layout.copy()
    goal, frame = _goal(problem, rules, layout)
    tables = layout.build(problem.facts)
    return Game(
        rules=rules,
        problem=problem,
        tables=tables,
        constants=tuple(problem.numbers.get(name, -1) for name in rules.constants),
        stores={predicate: layout.of(predicate) for predicate in {path.predicate for path in layout.paths}},
        goal=goal,
        goal_frame=frame,
        task=task if task is not None else rules.task(tables, [-1] * rules.width, problem.names),
        walkthrough=text.walkthrough,
        annotations=text.annotations,
        _commands=[{} for _ in rules.actions],
    )


def _goal(problem: Problem, rules: Rules, layout: Layout) -> tuple[tuple[Step, ...], tuple[int, ...]]:
    """Searches for the goal, any of which is enough, and the binding they begin with."""
    scope = Scope()
    constants = sorted({arg for literal in literals(problem.goal) for arg in literal.args if not is_variable(arg)})
    frame = [problem.numbers.get(name, -1) for name in constants]
    for name in constants:
        scope.place(name)
    planner = Planner(layout, problem.facts)
    alternatives = conjuncts(problem.goal, {}, rules.domain)
    searches = tuple(planner.chain(conjunct, scope, set(constants), stop) for conjunct in alternatives)
    return searches, (*frame, *[-1] * (len(scope.places) - len(frame)))
