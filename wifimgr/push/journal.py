"""What is done to a router is written into the journal before it begins, and again when it has ended.

The lease that keeps others from the router meanwhile is taken and given back in the same two transactions.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
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

    def run(self, router: str, seconds: float, transaction: str, do: Callable[[], Outcome]) -> Outcome:
        """Does it while no other wifimgr works on the router, for at most so many seconds.

        What goes wrong is its outcome. Before it begins, raises Refused (``leased``), and StoreError for a journal that
        cannot be written.
        """
        with ExitStack() as held:
            with self.store.together():
                held.enter_context(self.store.lease(router, seconds))
                number = self.store.begin(router, what=self.what, why=self.why, transaction=transaction)
            try:
                outcome = do()
            except Exception as error:
                outcome = outcome_of(router, error)
            try:
                with self.store.together():
                    self.store.end(number, result=outcome.result, detail=outcome.why)
                    held.close()
            except StoreError as error:  # what happened on the router stays true; only the journal does not say it
                self.say(router, f"the journal could not be written: {error.line()}")
                why = "; ".join(filter(None, (outcome.why, "but the journal could not be written")))
                return replace(outcome, why=why, hint=outcome.hint or error.hint, error_id=outcome.error_id or error.id)
            return outcome
