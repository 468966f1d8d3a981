"""The settings of a network: what ``inventory/network.yaml`` and this machine's ``.wifimgr/local.yaml`` say.

Here are also types that every part needs: secrets that do not show themselves, durations, endpoints.
"""

from wifimgr.settings.network import (
    COMMANDS_VARIABLE,
    INVENTORY_FOLDER,
    LOCAL_FILE,
    NETWORK_FILE,
    NETWORK_VARIABLE,
    STATE_FOLDER,
    Host,
    Network,
    PushTimes,
    Rollout,
    SnmpProfile,
    SshProfile,
    find_network,
    load_network,
    make_state_dir,
    read_network,
)
from wifimgr.settings.openssh import Hop
from wifimgr.settings.secret import Secret, SecretRef, looks_secret
from wifimgr.settings.values import DEFAULT_PORTS, Duration, Endpoint, Text, seconds

__all__ = [
    "COMMANDS_VARIABLE",
    "DEFAULT_PORTS",
    "INVENTORY_FOLDER",
    "LOCAL_FILE",
    "NETWORK_FILE",
    "NETWORK_VARIABLE",
    "STATE_FOLDER",
    "Duration",
    "Endpoint",
    "Hop",
    "Host",
    "Network",
    "PushTimes",
    "Rollout",
    "Secret",
    "SecretRef",
    "SnmpProfile",
    "SshProfile",
    "Text",
    "find_network",
    "load_network",
    "looks_secret",
    "make_state_dir",
    "read_network",
    "seconds",
]
