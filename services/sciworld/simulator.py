"""Many isolated ScienceWorld simulators in one JVM.

The simulator keeps its random numbers, its object counter and its simplifications in static fields, so simulators
that share a JVM disturb one another. Here each owns a copy of that state, and whoever acts next swaps it in (a tenth
of a millisecond): every episode plays as if it were alone. All of this runs on one thread, the shard's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from py4j.protocol import Py4JJavaError

from services.sciworld.jvm import Java, Jvm
from shared.errors import EngineLost

NOT_UNDERSTOOD: Final = "No known action matches that input."
UNKNOWN_ACTION: Final = "Unknown action.  Type 'help'"
"""Begins the engine's reply to an answer that is none of an ambiguous request's numbers."""
COLLECT_EVERY: Final = 8
"""Loads between two garbage collections. Each leaves 11 MB behind, and the collector would rather let the heap grow to
its limit: this way a JVM takes 160 MB instead of 340, for some 5 ms a load."""

STOP_WORDS: Final = frozenset({"a", "an", "the"})


def is_reset(action: str) -> bool:
    """Whether the engine's parser would read "reset task": case, white space and articles do not count there."""
    words = "".join(char if char > " " else " " for char in action.lower()).split()
    return [word for word in words if word not in STOP_WORDS] == ["reset", "task"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the engine said to one action. ``score`` is a fraction, -1..1, rounded to 1/100 as the benchmark does."""

    observation: str
    score: float
    completed: bool

    @property
    def done(self) -> bool:
        """The goal is met, or lost: the engine itself plays on after a wrong focus, the benchmark does not."""
        return self.completed or self.score < 0

    @property
    def valid(self) -> bool:
        """Whether the engine understood the action. "Ambiguous request" is its question, so it did."""
        return self.observation != NOT_UNDERSTOOD and not self.observation.startswith(UNKNOWN_ACTION)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A reply, the simulated time its action took, and what a look and the inventory say then; empty after no time."""

    reply: Reply
    ticks: int = 0
    look: str = ""
    inventory: str = ""


class World:
    """The static state of the simulator's classes in one JVM, and who owns it now."""

    def __init__(self, jvm: Jvm) -> None:
        self.jvm = jvm
        lang, util = jvm.gateway.jvm.java.lang, jvm.gateway.jvm.java.util
        loader = lang.ClassLoader.getSystemClassLoader()

        def singleton(name: str) -> Java:
            return loader.loadClass(f"{name}$").getField("MODULE$").get(None)

        self.random: Java = util.Random
        self.join: Java = lang.String.join
        self._identifiers = singleton("util.UniqueIdentifier")
        self._set_identifier: Java = getattr(self._identifiers, "count_$eq")
        self._simplifications = singleton("main.scala.scienceworld.runtime.SimplifierProcessor")
        self._scala_random = singleton("scala.util.Random")
        self._random_field = loader.loadClass("scala.util.Random").getDeclaredField("self")
        self._random_field.setAccessible(True)
        self._scratch = self.random(0)
        self._owner: Simulator | None = None
        self._constructor: Java = jvm.gateway.jvm.scienceworld.runtime.pythonapi.PythonInterface
        self._collect_garbage: Java = lang.System.gc
        self._twins: Java = jvm.gateway.jvm.restep.Twin.of
        self.step: Java = jvm.gateway.jvm.restep.Steps.step
        self._loads = 0
        self.meta: Java = self._constructor()
        self.task_maker: Java = self.meta.taskMaker()

    def construct(self) -> Java:
        """A simulator of the engine's own; its constructor draws random numbers and object ids, nobody's."""
        self.park()
        engine = self._constructor()
        self.loaded()
        return engine

    def twins(self, engine: Java, random: Java) -> tuple[Java, Java]:
        """Copies of an engine and of the random numbers it draws from."""
        copies = self._twins(engine, random)
        return copies[0], copies[1]

    def loaded(self) -> None:
        """Count a load; every so many, collect the garbage they left."""
        self._loads += 1
        if self._loads % COLLECT_EVERY == 0:
            self._collect_garbage()

    def park(self) -> None:
        """Give the static state back to whoever owns it, and leave scratch state in its place."""
        if self._owner is not None:
            self._owner.identifiers = self._identifiers.count()
            self._owner = None
        self.use_random(self._scratch)

    def enter(self, simulator: Simulator) -> None:
        """Make the static state that of ``simulator``."""
        if self._owner is simulator:
            return
        self.park()
        self._set_identifier(simulator.identifiers)
        self._simplifications.parseSimplificationStr(simulator.simplifications)
        self.use_random(simulator.random)
        self._owner = simulator

    def use_random(self, random: Java) -> None:
        """Let the simulator's classes draw from ``random``, a java.util.Random."""
        self._random_field.set(self._scala_random, random)

    def simplifications(self) -> str:
        """Labels in force; "easy" reads as the labels it stands for, the only form the engine parses again."""
        return self._simplifications.getSimplificationsUsed()


class Simulator:
    """One simulator, reusable for any number of episodes. Every method blocks and belongs on its shard's thread.

    Every method raises EngineLost when the JVM is gone. States are equal whenever (task, variation, simplification,
    actions) are; nothing but :meth:`load` and :meth:`step` changes one.
    """

    def __init__(self, world: World, twin_of: Simulator | None = None) -> None:
        self.world = world
        if twin_of is None:
            self.random: Java = world.random(0)
            self.identifiers = 0
            self.simplifications = ""
            self._engine = world.construct()
        else:
            world.park()
            self.identifiers = twin_of.identifiers
            self.simplifications = twin_of.simplifications
            self._engine, self.random = world.twins(twin_of._engine, twin_of.random)
        self._set_task_maker: Java = getattr(self._engine, "taskMaker_$eq")
        self._set_score: Java = getattr(self._engine, "score_$eq")
        self._set_completed: Java = getattr(self._engine, "isComplete_$eq")
        self._set_task_maker(world.task_maker)

    def load(self, task: str, variation: int, simplification: str = "") -> str:
        """Begin an episode and return the task's description. 25 to 50 ms."""
        return self._load(task, variation, simplification, gold=False)

    def gold(self, task: str, variation: int, simplification: str = "") -> list[str]:
        """The engine's own solution from the start; the episode is then at its start.

        Costs 0.2 to 3 s, up to 25 s for the genetics tasks: :class:`services.sciworld.gold.GoldPaths` caches it.
        """
        self._load(task, variation, simplification, gold=True)
        return self._lines(self._engine.getGoldActionSequence())

    def _load(self, task: str, variation: int, simplification: str, *, gold: bool) -> str:
        self._enter()
        trouble = self._engine.load(task, variation, simplification, gold)
        self.simplifications = self.world.simplifications()
        self._set_task_maker(self.world.task_maker)  # its own holds 11 MB, which one per JVM serves as well
        self.world.loaded()
        self._set_score(0.0)  # load() leaves score and end of the episode before it
        self._set_completed(False)
        if trouble:
            raise ValueError(trouble)
        return self._engine.getTaskDescription()

    def step(self, action: str) -> Reply:
        """Execute one action.

        ``reset task`` is answered like text the engine does not know and never reaches it: it would set a lost
        episode's score back to zero. An exception in the engine ends the episode as its own error state does, with
        score -1.
        """
        return self._step(action, look=False).reply

    def step_and_look(self, action: str) -> Outcome:
        """Execute one action as :meth:`step` does, and look around and into the inventory, for free."""
        return self._step(action, look=True)

    def _step(self, action: str, *, look: bool) -> Outcome:
        self._enter()
        if is_reset(action):
            return Outcome(Reply(NOT_UNDERSTOOD, self._score(self._engine.getScore()), self._engine.getCompleted()))
        try:
            told: str = self.world.step(self._engine, action, look)
        except Py4JJavaError as error:
            thrown: Java = error.java_exception
            return Outcome(Reply(thrown.toString(), -1.0, completed=True))
        score, completed, ticks, seen, carried, observation = told.split("\x1f", 5)
        reply = Reply(observation, self._score(float(score)), completed == "true")
        return Outcome(reply, int(ticks), seen, carried)

    @staticmethod
    def _score(score: float) -> float:
        """Rounded to 1/100, as the benchmark does."""
        return round(100 * score) / 100

    def twin(self) -> Simulator:
        """Another simulator in the same state; neither knows of the other. A few milliseconds."""
        if not self.world.jvm.alive:
            raise EngineLost(f"JVM {self.world.jvm.pid} is gone")
        return Simulator(self.world, self)

    def look(self) -> str:
        """What "look around" says, for free."""
        self._enter()
        return self._engine.freeActionLook()

    def inventory(self) -> str:
        """What "inventory" says, for free."""
        self._enter()
        return self._engine.freeActionInventory()

    def valid_actions(self) -> list[str]:
        """Actions the engine would take now, sorted, without the refused ``reset task``.

        While the engine asks an ambiguous request back, the numbers to choose from.
        """
        self._enter()
        self.world.use_random(self.world.random(0))  # names are chosen at random: not with the episode's numbers
        try:
            actions = self._lines(self._engine.getValidActionObjectCombinations())
        finally:
            self.world.use_random(self.random)
        return [action for action in actions if not is_reset(action)]

    def progress(self) -> str:
        """The engine's table of sub-goals and which are met, as text."""
        self._enter()
        return self._engine.getGoalProgressStr()

    def ticks(self) -> int:
        """Simulated time so far. An action that takes none leaves the state as it was, random numbers included."""
        self._enter()
        return self._engine.getNumMoves()

    def object_tree(self) -> str:
        """Everything there is, nested by containment, as JSON (some 150 kB, 40 ms)."""
        self._enter()
        return self._engine.getObjectTree("")

    def _enter(self) -> None:
        if not self.world.jvm.alive:
            raise EngineLost(f"JVM {self.world.jvm.pid} is gone")
        self.world.enter(self)

    def _lines(self, strings: Java) -> list[str]:
        """A Java list of strings in one round trip instead of one an element."""
        return [line for line in self.world.join("\n", strings).split("\n") if line]
