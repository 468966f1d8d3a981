"""What is done to a router is written into the journal before it begins, and again when it has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from wifimgr.errors import StoreError
from wifimgr.model import Outcome
from wifimgr.push.plan import outcome_of
from wifimgr.store import Store


@dataclass(frozen=True, slots=True)
class Journalled:
    """Runs things that change a router, with a line in the journal for each."""

    store: Store
    what: str
    why: str
    say: Callable[[str, str], None]
    """Called with a router and what happens to it now."""

    def run(self, router: str, transaction: str, do: Callable[[], Outcome]) -> Outcome:
        """Does it. What goes wrong is its outcome; only a journal that cannot be begun raises StoreError."""
        number = self.store.begin(router, what=self.what, why=self.why, transaction=transaction)
        try:
            outcome = do()
        except Exception as error:
            outcome = outcome_of(router, error)
        try:
            self.store.end(number, result=outcome.result, detail=outcome.why)
        except StoreError as error:  # what happened on the router stays true; only the journal does not say it
            self.say(router, f"the journal could not be written: {error.line()}")
            why = "; ".join(filter(None, (outcome.why, "but the journal could not be written")))
            return replace(outcome, why=why, hint=outcome.hint or error.hint, error_id=outcome.error_id or error.id)
        return outcome
