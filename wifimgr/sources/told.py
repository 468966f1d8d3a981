"""What a router told in JSON, read without trust: whatever is missing or has the wrong form counts as not told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

LARGEST = 2**63 - 1
"""No counter of a router comes here, and every store can hold it."""
LONGEST_TEXT = 200
"""Characters of a name or a version."""
LONGEST_LIST = 256
"""So many elements are looked at: no router has more radios or interfaces."""
LONGEST_LIFE = 100 * 365 * 86400
"""Seconds. A router that claims to be older has no clock."""


class Told:
    """Any value of a JSON document. Looking for what is not there gives a Told of nothing, so paths can be followed."""

    def __init__(self, value: Any) -> None:
        self._value = value

    @classmethod
    def read(cls, text: bytes) -> Told:
        """Reads a document. Raises ValueError with one line when it is none."""
        try:
            return cls(json.loads(text.decode("utf-8", "replace")))
        except RecursionError:
            raise ValueError("it is nested too deeply") from None

    def __getitem__(self, key: str) -> Told:
        return Told(self._value.get(key) if isinstance(self._value, dict) else None)

    def __contains__(self, key: str) -> bool:
        return isinstance(self._value, dict) and key in self._value

    def __iter__(self) -> Iterator[Told]:
        """The elements of a list; of anything else: none."""
        return map(Told, self._value[:LONGEST_LIST] if isinstance(self._value, list) else ())

    def items(self) -> Iterator[tuple[str, Told]]:
        """The pairs of an object, its names as :meth:`text`; of anything else: none."""
        pairs = self._value.items() if isinstance(self._value, dict) else ()
        return ((Told(name).text(), Told(value)) for name, value in islice(pairs, LONGEST_LIST))

    def is_object(self) -> bool:
        """Whether it is a JSON object."""
        return isinstance(self._value, dict)

    def text(self) -> str:
        """A string as it is, but never longer than a name is, and always such that it can be stored."""
        text = self._value if isinstance(self._value, str) else ""
        return text[:LONGEST_TEXT].encode("utf-8", "replace").decode()

    def number(self) -> float | None:
        """A number that is neither negative nor endless."""
        value = self._value
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value) if 0 <= value <= LARGEST else None

    def whole(self, unit: int = 1) -> int | None:
        """A number of units as an integer: some responders send floats only."""
        whole = None if self.number() is None else int(self._value) * unit
        return None if whole is None or whole > LARGEST else whole

    def flag(self) -> bool | None:
        """True or false."""
        return self._value if isinstance(self._value, bool) else None

    def boot(self) -> datetime | None:
        """When a router started that has been up for this many seconds (UTC)."""
        seconds = self.number()
        if seconds is None or seconds > LONGEST_LIFE:
            return None
        return (datetime.now(UTC) - timedelta(seconds=seconds)).replace(microsecond=0)
