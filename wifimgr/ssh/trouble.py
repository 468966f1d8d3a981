"""Why a router cannot be reached, in one line."""

from __future__ import annotations

import socket

from wifimgr.errors import RouterError
from wifimgr.ssh.target import Target


class HungUp(ConnectionError):
    """It hung up before it said anything."""


class NotForwarded(ConnectionError):
    """A router on the way does not open connections for us."""


_HINTS: dict[type[Exception], str] = {
    HungUp: "its SSH server may be full: see who else logs in there, or try again in some minutes",
    ConnectionRefusedError: "something is there, and no SSH server at that port: check address and port",
    socket.gaierror: "no name server knows this name: write its address into the inventory; ~/.ssh/config gives none",
}
"""What helps against an error; what is not here has no better hint than power, cable and address."""


def unreachable(target: Target, error: Exception) -> RouterError:
    """``unreachable``, with the reason and what helps."""
    why = "no answer in time" if isinstance(error, TimeoutError) else reason(error)
    hint = next((helps for kind, helps in _HINTS.items() if isinstance(error, kind)), "check power, cable and address")
    if isinstance(error, NotForwarded) and target.through:
        hint = f"allow TCP forwarding there: the SSH server of {target.through.name}, or our key on it, forbids it"
    return RouterError("unreachable", f"cannot be reached ({why})", where=target.describe(), hint=hint)


def reason(error: Exception) -> str:
    """Why something failed, in the words of the system or the library; in ours where those explain nothing."""
    if "Error reading SSH protocol banner" in str(error):
        return "it hung up before it said anything"
    if isinstance(error, EOFError) and not str(error):
        return "the connection was lost"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip().rstrip(".")
