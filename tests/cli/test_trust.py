"""The command router trust: keys that simulated routers show, and keys from files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.terminal import PROGRAM, talk
from wifimgr.cli import run
from wifimgr.lab import Lab
from wifimgr.lab.sshd import make_key

Out = pytest.CaptureFixture[str]
KNOWN = Path("inventory/known_hosts")
OTHER_ED25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIKjg2jdu8ySh1HYZzlWQD1JQ0hSzSCSvM8sHaxf6JVVS"
"""A key that no router here has."""


def key_of(lab: Lab, name: str) -> str:
    """Type and key of a simulated router, as in a known_hosts file."""
    key = lab.routers[name].host_key
    return f"{key.get_name()} {key.get_base64()}"


def trusted() -> dict[str, str]:
    """Router to type and key, as they are pinned now."""
    lines = KNOWN.read_text().splitlines() if KNOWN.exists() else []
    return {name: rest for name, _, rest in (line.partition(" ") for line in lines)}


def test_an_unknown_host_key_is_refused_and_trusted_by_command(lab: Lab, folder: Path, capsys: Out) -> None:
    known = folder / "inventory/known_hosts"
    lines = known.read_text()
    known.unlink()
    assert run(["plan", "radio", "-s", "haus-ap"]) == 4
    assert "trust it with 'wifimgr router trust haus-ap'" in capsys.readouterr().out
    assert run(["router", "trust", "haus-ap"]) == 2  # nobody is there to compare the fingerprint
    assert run(["router", "trust", "haus-ap", "--yes"]) == 0
    assert "SHA256:" in capsys.readouterr().err
    assert known.read_text() in lines
    assert run(["plan", "radio", "-s", "haus-ap"]) == 0


def test_a_changed_host_key_is_refused_loudly(lab: Lab, folder: Path, capsys: Out) -> None:
    lab.routers["haus-ap"].change_host_key(make_key()[0])
    assert run(["apply", "radio", "--yes", "-s", "haus-ap"]) == 4
    assert "HOST KEY CHANGED" in capsys.readouterr().err
    assert run(["router", "trust", "haus-ap", "--yes"]) == 4
    assert "say --replace [host-key-changed]" in capsys.readouterr().err
    others = [line for line in (folder / "inventory/known_hosts").read_text().splitlines() if "haus-ap " not in line]
    assert run(["router", "trust", "haus-ap", "--yes", "--replace"]) == 0
    assert set(others) < set((folder / "inventory/known_hosts").read_text().splitlines())
    assert run(["plan", "radio", "-s", "haus-ap"]) == 0


def test_trust_tells_what_is_trusted_already(lab: Lab, capsys: Out) -> None:
    assert run(["router", "trust", "haus-gw", "--yes"]) == 0
    assert "is trusted already" in capsys.readouterr().err


def test_trust_of_a_router_that_is_off(lab: Lab, capsys: Out) -> None:
    lab.routers["haus-gw"].link.powered = False
    assert run(["router", "trust", "haus-gw", "--yes"]) == 3
    assert "[unreachable]" in capsys.readouterr().err


def test_many_routers_are_asked_about_once(lab: Lab) -> None:
    """One that is trusted already, and one that is off, are told and not asked about."""
    lab.routers["haus-old"].link.powered = False
    pinned = trusted()
    KNOWN.write_text(f"haus-gw {pinned['haus-gw']}\n")
    code, shown = talk(["router", "trust", "-s", "haus"], ("Are these 3 keys the routers' own? [y/N]: ", "y"))
    assert code == 3
    table, _, rest = shown.partition("error: ")
    assert [line.split()[0::3] for line in table.splitlines() if line.startswith("haus")] == [
        ["haus-gw", "same"],
        ["haus-ap", "new"],
        ["haus-ap-2", "new"],
        ["haus-node", "new"],
        ["haus-old"],
    ]
    assert table.count("SHA256:") == 4
    assert rest.startswith("haus-old (127.0.0.1:")
    assert trusted() == {name: pinned[name] for name in ("haus-gw", "haus-ap", "haus-ap-2", "haus-node")}


def test_no_is_no(lab: Lab) -> None:
    KNOWN.unlink()
    code, shown = talk(["-q", "router", "trust", "haus-gw"], ("Is that the router's own key? [y/N]: ", "n"))
    assert code == 1
    assert "SHA256:" in shown, "who is asked can see what about, also with --quiet"
    assert not KNOWN.exists()


def test_a_router_that_fails_counts_more_than_one_that_is_refused(lab: Lab, capsys: Out) -> None:
    lab.routers["haus-node"].link.powered = False
    lab.routers["haus-ap"].change_host_key(make_key()[0])
    assert run(["router", "trust", "haus-node", "haus-ap", "haus-ap-2", "--yes"]) == 3
    err = capsys.readouterr().err
    assert "[unreachable]" in err
    assert "[host-key-changed]" in err
    assert "haus-ap-2: SHA256:" in err


# --- from a file ---


@pytest.fixture
def quiet_lab(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Nothing may be sent to any router; nothing is trusted yet."""

    def no(*_: object) -> None:
        raise AssertionError("somebody connects")

    monkeypatch.setattr("wifimgr.ssh.line.socket.create_connection", no)
    KNOWN.unlink()
    return lab


def test_keys_come_from_what_ssh_keyscan_prints_and_nothing_is_sent(quiet_lab: Lab, capsys: Out) -> None:
    lines = [
        "# 192.0.2.1:22 SSH-2.0-dropbear",
        f"192.0.2.1 {key_of(quiet_lab, 'haus-gw')}",
        f"2001:DB8:0::C1 {key_of(quiet_lab, 'haus-node')}",
        f"192.0.2.99 ssh-ed25519 {OTHER_ED25519}",
    ]
    Path("keys").write_text("\n".join(lines))
    assert run(["router", "trust", "haus-gw", "haus-node", "--from", "keys", "--yes"]) == 0
    assert trusted() == {name: key_of(quiet_lab, name) for name in ("haus-gw", "haus-node")}
    err = capsys.readouterr().err
    assert "haus-gw: trusted, written to inventory/known_hosts\nhaus-node: trusted" in err
    assert run(["router", "trust", "haus-gw", "--from", "keys", "--yes"]) == 0
    assert "is trusted already" in capsys.readouterr().err


def test_routers_without_a_key_in_the_file_are_told(quiet_lab: Lab, capsys: Out) -> None:
    Path("keys").write_text(f"haus-gw {key_of(quiet_lab, 'haus-gw')}\n")
    assert run(["router", "trust", "-s", "role=gateway", "-s", "haus-ap", "--from", "keys", "--yes"]) == 3
    assert (
        "error: haus-ap: keys has no host key for it; add the output of ssh-keyscan for it, or trust it without --from "
        "[no-host-key]" in capsys.readouterr().err
    )
    assert set(trusted()) == {"haus-gw"}


def test_a_key_of_a_file_that_differs_is_refused_unless_it_shall_replace(quiet_lab: Lab, capsys: Out) -> None:
    KNOWN.write_text(f"haus-gw ssh-ed25519 {OTHER_ED25519}\n")
    Path("keys").write_text(f"haus-gw {key_of(quiet_lab, 'haus-gw')}\nhaus-ap {key_of(quiet_lab, 'haus-ap')}\n")
    assert run(["router", "trust", "haus-gw", "haus-ap", "--from", "keys", "--yes"]) == 4
    err = capsys.readouterr().err
    assert "error: haus-gw: HOST KEY CHANGED: keys has SHA256:" in err
    assert "say --replace [host-key-changed]" in err
    assert trusted() == {"haus-gw": f"ssh-ed25519 {OTHER_ED25519}", "haus-ap": key_of(quiet_lab, "haus-ap")}
    assert run(["router", "trust", "haus-gw", "--from", "keys", "--yes", "--replace"]) == 0
    assert trusted()["haus-gw"] == key_of(quiet_lab, "haus-gw")


def test_two_keys_of_one_type_are_not_guessed_about(quiet_lab: Lab, capsys: Out) -> None:
    Path("keys").write_text(f"haus-gw {key_of(quiet_lab, 'haus-gw')}\n192.0.2.1 ssh-ed25519 {OTHER_ED25519}\n")
    for replace in ([], ["--replace"]):
        assert run(["router", "trust", "haus-gw", "--from", "keys", "--yes", *replace]) == 3
        assert "keys has 2 different keys of type ssh-ed25519 for it; take the wrong one out" in capsys.readouterr().err
        KNOWN.write_text(f"haus-gw {key_of(quiet_lab, 'haus-ap')}\n")
    KNOWN.write_text(f"haus-gw {key_of(quiet_lab, 'haus-gw')}\n")
    assert run(["router", "trust", "haus-gw", "--from", "keys", "--yes"]) == 0, "one of them is trusted: that is enough"


def test_what_is_passed_over_is_told_and_steers_no_terminal(quiet_lab: Lab, capsys: Out) -> None:
    key = key_of(quiet_lab, "haus-gw")
    lines = [
        f"@cert-authority *.example.org {key}",
        f"@revoked haus-ap {key_of(quiet_lab, 'haus-ap')}",
        f"haus-ap {key_of(quiet_lab, 'haus-ap')}",
        f"haus-gw ssh-\x1b[31mred {OTHER_ED25519}",
        "haus-gw ssh-ed25519 AAAA",
        "word",
        f"haus-* {key}",
        f"haus-gw,*.example.org {key} comment # more",
    ]
    Path("keys").write_text("\n".join(lines), encoding="utf-8")
    assert run(["router", "trust", "haus-gw", "haus-ap", "--from", "keys", "--yes"]) == 3
    err = capsys.readouterr().err
    assert err.splitlines()[:5] == [
        "passed over: marked @cert-authority (line 1)",
        "passed over: marked @revoked (line 2)",
        "passed over: key type ssh-\\u001b[31mred (line 4)",
        "passed over: no host key (line 5, 6)",
        "passed over: a pattern in place of a name (line 7, 8)",
    ]
    assert "haus-ap: keys has no host key for it" in err
    assert set(trusted()) == {"haus-gw"}


def test_keys_come_from_standard_input_only_with_yes(quiet_lab: Lab, folder: Path) -> None:
    text = f"haus-gw {key_of(quiet_lab, 'haus-gw')}\n"
    command = [*PROGRAM, "router", "trust", "haus-gw", "--from", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    assert (done.returncode, "[need-terminal]" in done.stderr) == (2, True)
    done = subprocess.run([*command, "--yes"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    assert set(trusted()) == {"haus-gw"}


def test_a_file_that_is_not_there_is_told(quiet_lab: Lab, capsys: Out) -> None:
    assert run(["router", "trust", "haus-gw", "--from", "nowhere", "--yes"]) == 2
    assert capsys.readouterr().err == "error: nowhere: cannot be read: no such file or directory [unreadable-file]\n"


def test_a_router_without_an_address_can_be_trusted_by_its_name(quiet_lab: Lab) -> None:
    site = Path("inventory/sites/haus.yaml")
    site.write_text(site.read_text() + "  haus-new: {lifecycle: planned}\n")
    Path("keys").write_text(f"haus-new ssh-ed25519 {OTHER_ED25519}\n")
    assert run(["router", "trust", "haus-new", "--from", "keys", "--yes"]) == 0
    assert run(["router", "trust", "haus-new", "--yes"]) == 2
    assert set(trusted()) == {"haus-new"}
