"""The handshake: agreeing on how to speak, with old servers too, and asking again those that are full."""

from __future__ import annotations

import hmac
import logging
import random
import threading
import time
from contextlib import ExitStack
from typing import Any

import paramiko
from cryptography.hazmat.primitives.hashes import SHA1
from paramiko.ssh_exception import IncompatiblePeer

from wifimgr.errors import RouterError
from wifimgr.ssh.deadline import Deadline
from wifimgr.ssh.hostkeys import KEY_TYPES
from wifimgr.ssh.line import Line, open_line
from wifimgr.ssh.target import Target
from wifimgr.ssh.trouble import HungUp, reason, unreachable

RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")
OLD_SIGNATURE = "ssh-rsa"
"""RSA with SHA-1 (RFC 4253, 6.6): the only one of RSA that dropbear up to 2019.78 knows."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0
"""Seconds before somebody is asked again who hung up on us before saying anything; each pause is twice the last."""

# What goes wrong is raised to us and told in one line; paramiko's thread would print it again, with a traceback.
logging.getLogger("paramiko.transport").setLevel(logging.CRITICAL)
# It compares checksums byte by byte in Python, a tenth of what a login costs us. This is the same from the standard
# library, and as constant in time.
paramiko.util.constant_time_bytes_eq = hmac.compare_digest  # type: ignore[assignment]
# It makes an object in Python for each checksum; this is one call of the standard library.
paramiko.packet.compute_hmac = hmac.digest  # type: ignore[assignment]


def speak(
    target: Target, way: paramiko.Transport | None, deadline: Deadline, key_types: tuple[str, ...], opened: ExitStack
) -> Transport:
    """A transport to whoever is at the target's endpoint: nobody knows yet who that is.

    dropbear hangs up on whoever comes while five strangers of one address, or thirty in all, are logging in. So one
    that hangs up at once is asked again, with pauses that grow and differ, until the deadline.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            return _shake_hands(target, way, deadline, key_types, opened)
        except HungUp as error:
            seconds = random.SystemRandom().uniform(pause / 2, pause)
            if seconds >= deadline.left() or (way and not way.is_active()):
                raise unreachable(target, error) from None
            time.sleep(seconds)
            pause = min(2 * pause, LONGEST_PAUSE)


def _shake_hands(
    target: Target, way: paramiko.Transport | None, deadline: Deadline, key_types: tuple[str, ...], opened: ExitStack
) -> Transport:
    """Like :func:`speak`, but tries it once. Raises HungUp, too."""
    try:
        line = open_line(target, way, deadline)
        transport = (_LegacyTransport if target.legacy else Transport)(line)
        opened.callback(transport.close)
    except (OSError, UnicodeError) as error:  # a name of an impossible form is no OSError
        if isinstance(error, ConnectionResetError) and way is None:
            raise HungUp(HungUp.__doc__) from None
        raise unreachable(target, error) from None
    try:
        transport.get_security_options().key_types = _signatures(key_types, legacy=target.legacy)
        transport.banner_timeout = deadline.left()
        agreed = threading.Event()  # paramiko would look at the wall clock, ten times a second
        transport.start_client(agreed)
        if not agreed.wait(deadline.left()):
            raise TimeoutError
        if not transport.is_active():
            raise transport.get_exception() or EOFError("it hung up")
    except IncompatiblePeer as error:
        raise _incompatible(target, transport, key_types, error) from None
    except Exception as error:  # paramiko raises whatever ended its thread: perhaps garbage from the other side
        transport.close()
        if deadline.passed():
            raise unreachable(target, TimeoutError()) from None
        if not line.heard:
            raise HungUp(reason(error)) from None
        raise unreachable(target, error) from None
    return transport


def _incompatible(target: Target, transport: Transport, key_types: tuple[str, ...], error: Exception) -> RouterError:
    """Why it cannot agree with us on how to speak: most often it is too old."""
    where, offered = target.describe(), set(transport.offered)
    if OLD_SIGNATURE in offered and not offered & set(RSA_SIGNATURES) and "ssh-rsa" in key_types and not target.legacy:
        what = "its SSH server is so old that it signs with SHA-1 only (dropbear up to 2019.78 does)"
        hint = f"best new firmware; or allow it for this one: 'wifimgr router set {target.name} legacy_ssh=true'"
        return RouterError("legacy-ssh", what, where=where, hint=hint)
    what = f"it cannot agree with us on how to speak SSH ({reason(error)}); trusted: {', '.join(key_types)}"
    hint = f"if its host key is of another type now: 'wifimgr router trust {target.name} --replace'"
    return RouterError("unreachable", what, where=where, hint=hint)


def _signatures(key_types: tuple[str, ...], *, legacy: bool) -> list[str]:
    """Names to offer for key types, best first: an RSA key is asked to sign with SHA-2, unless it cannot."""
    ordered = [kind for kind in KEY_TYPES if kind in key_types]
    of_rsa = (*RSA_SIGNATURES, OLD_SIGNATURE) if legacy else RSA_SIGNATURES
    return [name for kind in ordered for name in (of_rsa if kind == "ssh-rsa" else (kind,))]


class Transport(paramiko.Transport):
    """paramiko's, which also tells how the other side can prove who it is."""

    offered: tuple[str, ...] = ()
    """Its host key algorithms."""
    server_extensions: dict[str, bytes]
    """What it tells about itself (RFC 8308). dropbear does since 2020.79, and so does OpenSSH."""
    # paramiko sorts out what is disabled anew whenever it looks at one of these; we disable nothing.
    preferred_kex = paramiko.Transport._preferred_kex  # type: ignore[attr-defined]
    preferred_ciphers = paramiko.Transport._preferred_ciphers  # type: ignore[attr-defined]
    preferred_macs = paramiko.Transport._preferred_macs  # type: ignore[attr-defined]
    preferred_compression = paramiko.Transport._preferred_compression  # type: ignore[attr-defined]

    def __init__(self, line: Line) -> None:
        super().__init__(line)  # type: ignore[arg-type]  # speaks like a socket
        self.line = line
        # It would start a thread to end a handshake that takes too long, and ask it about every packet of the
        # connection: a tenth of what a login costs us. Whoever waits for the handshake closes it at the deadline.
        self.packetizer.start_handshake = lambda timeout: None  # type: ignore[method-assign]

    def _log(self, level: int, msg: object, *args: object) -> None:
        """Nobody reads it, see above; paramiko writes thirty lines a login."""

    def _really_parse_kex_init(self, m: paramiko.Message, ignore_first_byte: bool = False) -> dict[str, Any]:
        parsed: dict[str, Any] = super()._really_parse_kex_init(m, ignore_first_byte)  # type: ignore[misc]
        if not ignore_first_byte:  # that would be what we said ourselves
            self.offered = tuple(parsed["server_key_algo_list"])
        return parsed


class OldRSAKey(paramiko.RSAKey):
    """An RSA key that also takes and makes signatures with SHA-1. Its table is its own: paramiko's stays as it is."""

    HASHES = {**paramiko.RSAKey.HASHES, OLD_SIGNATURE: SHA1}  # type: ignore[misc]  # not final at all


class _LegacyTransport(Transport):
    """A transport for one router whose SSH server is too old for anything but RSA with SHA-1 (``legacy_ssh``)."""

    _key_info = {**paramiko.Transport._key_info, OLD_SIGNATURE: OldRSAKey}  # type: ignore[attr-defined]

    @property
    def preferred_pubkeys(self) -> tuple[str, ...]:
        """A server that does not tell which signatures it takes (RFC 8308) knows SHA-1 only."""
        return (*RSA_SIGNATURES, OLD_SIGNATURE) if self.server_extensions else (OLD_SIGNATURE,)
