"""The only place that opens SSH: connect, check the host key, log in, run a script, all before one deadline.

Routers are reached with paramiko. A router can be reached through another one, or through a host of ``~/.ssh/config``:
we log in there, let it open a connection to the next one (``direct-tcpip``), and speak SSH over that. Each hop has its
own login and its own pinned host key, and sees nothing of what is inside.

Each room imports only from those above it:

- ``deadline``: how long all of it may take
- ``hostkeys``: who they are: pinned host keys, files of OpenSSH
- ``target``: what is needed to log in, and the way there
- ``trouble``: why a router cannot be reached, in words
- ``line``: names, addresses, sockets, channels through other routers
- ``transport``: the handshake, old servers, full servers
- ``ourkeys``: who we are: key files, agent, password, and the login
- ``connection``: all of it put together; scripts
- ``terminal``: a command line in place of a shell (RouterOS, netmiko)
"""

from wifimgr.ssh.connection import Connection, Shown, connect, scan
from wifimgr.ssh.deadline import Deadline
from wifimgr.ssh.hostkeys import HostKey, KeyList, KnownHosts, ssh_names
from wifimgr.ssh.target import Target, target_of
from wifimgr.ssh.terminal import Console, console

__all__ = [
    "Connection",
    "Console",
    "Deadline",
    "HostKey",
    "KeyList",
    "KnownHosts",
    "Shown",
    "Target",
    "connect",
    "console",
    "scan",
    "ssh_names",
    "target_of",
]
