"""Trajectories of ours written down as AgentGym and ETO publish theirs."""

from __future__ import annotations

from typing import Any

from shared.trajectory import Trajectory

INSTRUCTIONS = "Act on what you are shown, one action a turn."


def as_agentgym(trajectory: Trajectory, item_id: str | int, *, listed: bool = False) -> dict[str, Any]:
    """AgentTraj: flags on every message, keyword and text on lines of their own; ``listed`` names available actions."""
    tail = "\nAVAILABLE ACTIONS: look,go to desk 1" if listed else ""
    talk: list[dict[str, Any]] = [
        {"from": "human", "loss": None, "value": INSTRUCTIONS},
        {"from": "gpt", "loss": False, "value": "OK. I will do as I am told."},
        {"from": "human", "loss": None, "value": f"{trajectory.observation}\n{trajectory.task.goal}{tail}"},
    ]
    for step in trajectory.steps:
        talk.append({"from": "gpt", "loss": True, "value": f"Thought:\n{step.thought}\n\nAction:\n{step.action}"})
        talk.append({"from": "human", "loss": None, "value": f"{step.observation}{tail}"})
    return {"item_id": item_id, "conversations": talk[:-1]}


def as_eto(trajectory: Trajectory, *, opening: str | None = None, **fields: Any) -> dict[str, Any]:
    """ETO: no flags, observations under a keyword; ``fields`` are id, game_file, reward as they are there."""
    task = opening if opening is not None else f"{trajectory.observation}\n\n{trajectory.task.goal}"
    talk = [
        {"from": "human", "value": INSTRUCTIONS},
        {"from": "gpt", "value": "OK"},
        {"from": "human", "value": task},
    ]
    for step in trajectory.steps:
        talk.append({"from": "gpt", "value": f"Thought: {step.thought}\nAction: {step.action}"})
        talk.append({"from": "human", "value": f"Observation: {step.observation}"})
    return {"conversations": talk[:-1], **fields}
