"""How long everything may take that is done for one router."""

from __future__ import annotations

import time


class Deadline:
    """A point in time that everything done for one router in one round must keep."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, at least a hundredth, so that it can be used as a timeout; see :meth:`passed`."""
        return max(0.01, self._end - time.monotonic())

    def passed(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self._end
