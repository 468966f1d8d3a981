"""How long the parts of a push may take."""

from __future__ import annotations

from wifimgr.model import Change

READ_SECONDS = 20.0
"""What reading one router may take, login included."""
ARM_SECONDS = 30.0
"""What staging and applying may take on a slow router."""


def step_seconds(change: Change) -> float:
    """What all that has no undo may take: each is a call of its own."""
    return sum(step.takes + READ_SECONDS for step in change.steps)


def until_applied(change: Change) -> float:
    """What a push may take until its files are in place: where it has steps, the router is read again after them."""
    once = READ_SECONDS + ARM_SECONDS
    return 2 * once + step_seconds(change) if change.steps else once
