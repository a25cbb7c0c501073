"""The verdict on a step: what it did for the goal, in a word and a sentence.

The rule. The distance of a state is the length of a shortest way to the goal, whether its parts were seen or not; the
*known* distance counts only things the episode has shown. A step is:

- ``useful`` when a distance shrank, or it is what the explorer would do;
- ``exploring`` when it looks at a place not looked at before while something needed was not seen: no error;
- ``needless`` when the distance stayed: revisits, looks that show nothing new, what undoes itself for nothing;
- ``invalid`` when the engine did not understand, so that nothing happened;
- ``harmful`` when the distance grew;
- ``fatal`` when no way is left, or none that fits into the steps that are left.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.protocol import Decision, StepVerdict


@dataclass(frozen=True, slots=True)
class Step:
    """What is known of a step. Distances are None where there is no way; known distances where too little was seen."""

    valid: bool
    won: bool
    before: int | None
    after: int | None
    known_before: int | None
    known_after: int | None
    discovers: bool
    advised: bool


def judge(step: Step, left: int) -> StepVerdict:
    """The verdict on a step with ``left`` steps left after it."""
    decision, reason = _judge(step)
    if not step.won and step.after is not None and step.after > left:
        late = step.before is not None and step.before > left + 1
        early = "it was too late before this step already" if late else "this step came too late"
        decision, reason = "fatal", f"{early}: the goal takes {step.after} more actions and only {left} are left"
    return StepVerdict(decision=decision, reason=reason, distance_before=step.before, distance_after=step.after)


def _judge(step: Step) -> tuple[Decision, str]:
    if step.won:
        return "useful", "this reaches the goal"
    if step.after is None:
        return (
            "fatal",
            "no way to the goal is left" if step.before is not None else "there was no way to the goal before either",
        )
    if not step.valid:
        return "invalid", "nothing happens: the engine does not understand this, or it is not possible here and now"
    if step.before is None:
        return "useful", "this leads to where there is a way to the goal"
    if step.after < step.before:
        return "useful", "this is a step on a shortest way to the goal"
    if step.known_before is not None and step.known_after is not None and step.known_after < step.known_before:
        return "useful", "this is a step on the shortest way by what was seen"
    if step.discovers and step.known_before is None:
        return "exploring", "this looks at a new place while something that the task needs was not seen"
    if step.advised:
        return "useful", "this is what there is to do by what was seen"
    if step.after > step.before:
        return "harmful", f"this makes the way to the goal longer by {step.after - step.before}"
    return "needless", "this brings the goal no nearer and shows nothing that is needed"
