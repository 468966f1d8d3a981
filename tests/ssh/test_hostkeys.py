"""Host keys: those that are pinned, and those in files of OpenSSH."""

from __future__ import annotations

import base64
import hmac
from pathlib import Path

import paramiko
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.networks import write
from wifimgr.errors import ConfigError
from wifimgr.inventory import load
from wifimgr.ssh import HostKey, KeyList, KnownHosts, ssh_names

ED25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIKjg2jdu8ySh1HYZzlWQD1JQ0hSzSCSvM8sHaxf6JVVS"

# --- known hosts ---


def known_hosts(folder: Path, text: str) -> KnownHosts:
    path = folder / "known_hosts"
    path.write_text(text, encoding="utf-8")
    return KnownHosts(path)


def test_trusting_follows_no_link_that_somebody_laid_out(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine", encoding="utf-8")
    (tmp_path / "known_hosts.new").symlink_to(other)
    KnownHosts(tmp_path / "known_hosts").trust({"ap": HostKey("ssh-ed25519", "AAAA")})
    assert other.read_text(encoding="utf-8") == "mine"
    assert (tmp_path / "known_hosts").read_text(encoding="utf-8") == "ap ssh-ed25519 AAAA\n"
    assert not (tmp_path / "known_hosts").is_symlink()


def test_known_hosts_hold_several_keys_of_a_router_and_comments(tmp_path: Path) -> None:
    text = f"# ours\n\neins-ap ssh-ed25519 {ED25519} # Keller\nzwei ssh-rsa AAAA\neins-ap ssh-rsa AAAA\n"
    hosts = known_hosts(tmp_path, text)
    assert hosts.of("eins-ap") == (HostKey("ssh-ed25519", ED25519), HostKey("ssh-rsa", "AAAA"))
    assert hosts.of("drei") == ()


def test_known_hosts_that_do_not_exist_trust_nobody(tmp_path: Path) -> None:
    assert KnownHosts(tmp_path / "nie").of("eins-ap") == ()


@pytest.mark.parametrize(
    "line",
    ["eins-ap", "eins-ap ssh-ed25519", f"eins-ap ssh-dss {ED25519}", "eins-ap ssh-ed25519 not*base64",
     f"eins-ap ssh-ed25519 {ED25519} extra", f"ssh-ed25519 {ED25519}"],
)  # fmt: skip
def test_line_that_is_no_host_key_is_named(line: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        known_hosts(tmp_path, f"# first\n{line}\n")
    assert caught.value.line() == (
        f"{tmp_path}/known_hosts:2: is no host key; write '<router name> <key type> <base64>', "
        "or remove the line and run 'wifimgr router trust' [wrong-type]"
    )


def test_known_hosts_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "known_hosts", tmp_path):
        with pytest.raises(ConfigError) as caught:
            KnownHosts(path)
        assert caught.value.id == "unreadable-file"


def test_trust_replaces_the_keys_of_one_router_and_keeps_every_other_line(tmp_path: Path) -> None:
    hosts = known_hosts(tmp_path, "# ours\neins-ap ssh-rsa AAAA\nzwei ssh-rsa AAAA # Keller\n\neins-ap ssh-rsa AAAB\n")
    key = HostKey("ssh-ed25519", ED25519)
    hosts.trust({"eins-ap": key})
    wanted = f"# ours\nzwei ssh-rsa AAAA # Keller\n\neins-ap ssh-ed25519 {ED25519}\n"
    assert (tmp_path / "known_hosts").read_text() == wanted
    assert hosts.of("eins-ap") == KnownHosts(tmp_path / "known_hosts").of("eins-ap") == (key,)
    assert [path.name for path in tmp_path.iterdir()] == ["known_hosts"]


def test_trust_makes_the_file_and_says_where_it_cannot(tmp_path: Path) -> None:
    KnownHosts(tmp_path / "known_hosts").trust({"eins-ap": HostKey("ssh-ed25519", ED25519)})
    assert KnownHosts(tmp_path / "known_hosts").of("eins-ap")
    with pytest.raises(ConfigError) as caught:
        KnownHosts(tmp_path / "nie/known_hosts").trust({"eins-ap": HostKey("ssh-ed25519", ED25519)})
    assert caught.value.line().startswith(f"{tmp_path}/nie/known_hosts: cannot be written: ")


def test_several_routers_are_trusted_at_once(tmp_path: Path) -> None:
    hosts = known_hosts(tmp_path, "eins-ap ssh-rsa AAAA\nzwei ssh-rsa AAAA # Keller\n")
    key = HostKey("ssh-ed25519", ED25519)
    hosts.trust({"drei": key, "eins-ap": key})
    wanted = f"zwei ssh-rsa AAAA # Keller\ndrei ssh-ed25519 {ED25519}\neins-ap ssh-ed25519 {ED25519}\n"
    assert (tmp_path / "known_hosts").read_text() == wanted
    assert hosts.routers_with(key) == ["eins-ap", "drei"]


def test_fingerprint_is_what_ssh_keygen_prints() -> None:
    assert HostKey("ssh-ed25519", ED25519).fingerprint == "SHA256:MZS7S+GWawbLgSQGwU8DqZqunr7Xv2asATxjQQlAEew"


# --- keys in files of OpenSSH ---

RSA = paramiko.RSAKey.generate(1024).get_base64()
ECDSA = paramiko.ECDSAKey.generate().get_base64()
OURS, WEAK, MIDDLE = HostKey("ssh-ed25519", ED25519), HostKey("ssh-rsa", RSA), HostKey("ecdsa-sha2-nistp256", ECDSA)


def line(names: str, key: HostKey = OURS) -> str:
    return f"{names} {key.type} {key.base64}"


def hashed(name: str) -> str:
    salt = b"0123456789abcdefghij"
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    ("names", "name"),
    [
        ("eins-ap", "eins-ap"),
        ("192.0.2.2", "[192.0.2.2]:22"),
        ("[192.0.2.2]:22", "192.0.2.2"),
        ("[192.0.2.2]:2222", "[192.0.2.2]:2222"),
        ("router.example.org,192.0.2.2", "192.0.2.2"),
        ("Router.Example.org", "[router.example.org]:22"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[2001:db8:0:0::1]:2222", "[2001:DB8::1]:2222"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        (hashed("192.0.2.2"), "[192.0.2.2]:22"),
        (hashed("[192.0.2.2]:2222"), "[192.0.2.2]:2222"),
        (f"{hashed('192.0.2.9')},{hashed('router.example.org')}", "Router.example.org"),
        ("!x,*.example.org,192.0.2.2", "192.0.2.2"),
    ],
)
def test_a_key_is_found_under_each_of_its_names(names: str, name: str) -> None:
    assert KeyList(line(names)).of([name]) == (OURS,)


@pytest.mark.parametrize(
    ("names", "name"),
    [
        ("192.0.2.2", "[192.0.2.2]:2222"),
        ("[192.0.2.2]:2222", "192.0.2.2"),
        ("192.0.2.2", "192.0.2.22"),
        ("*", "192.0.2.2"),
        ("192.0.2.?", "192.0.2.2"),
        ("!192.0.2.2", "192.0.2.2"),
        (hashed("192.0.2.2"), "192.0.2.3"),
        ("|1|x|y", "192.0.2.2"),
        ("|1|AAAA", "192.0.2.2"),
    ],
)
def test_a_key_is_not_found_under_another_name(names: str, name: str) -> None:
    assert KeyList(line(names)).of([name]) == ()


def test_of_several_keys_the_best_type_stands_first_and_none_twice() -> None:
    keys = KeyList("\n".join([line("a", WEAK), line("b", MIDDLE), line("a", OURS), line("b", OURS), line("c", WEAK)]))
    assert keys.of(["a", "b"]) == (OURS, MIDDLE, WEAK)


def test_a_revoked_key_is_none_wherever_it_stands() -> None:
    keys = KeyList("\n".join([line("a"), line("a", WEAK), line("@revoked b")]))
    assert keys.of(["a"]) == (WEAK,)
    assert keys.passed_over == {"marked @revoked": [3]}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a", "no host key"),
        ("a ssh-ed25519", "no host key"),
        ("a ssh-ed25519 not*base64", "no host key"),
        (f"a ssh-ed25519 {ED25519[:-8]}", "no host key"),
        (f"a ssh-rsa {ED25519}", "no host key"),
        (f"a ssh-dss {ED25519}", "key type ssh-dss"),
        (f"a sk-ssh-ed25519@openssh.com {ED25519}", "key type sk-ssh-ed25519@openssh.com"),
        (f"@cert-authority a ssh-ed25519 {ED25519}", "marked @cert-authority"),
        (f"@revoked a ssh-ed25519 {ED25519[:-8]}", "no host key"),
        (f"|2|x|y|z ssh-ed25519 {ED25519}", "no hashed name"),
        (f"*.a ssh-ed25519 {ED25519}", "a pattern in place of a name"),
    ],
)
def test_a_line_that_is_not_understood_is_passed_over_and_told(text: str, why: str) -> None:
    keys = KeyList(f"# first\n\n{text}\n{line('a')}\n")
    assert keys.passed_over == {why: [3]}
    assert keys.of(["a"]) == (OURS,)


@given(st.text(alphabet=st.sampled_from("|1@*?![]:,= #\ta0Ä\x1b\n"), max_size=80), st.text(max_size=20))
def test_any_text_is_a_list_of_keys(names: str, data: str) -> None:
    keys = KeyList(f"{names} ssh-ed25519 {data}\n{names}\n{line(names)}")
    assert set(keys.of(["a", names])) <= {OURS}


def test_names_of_a_router_are_its_own_and_its_addresses_with_their_port(tmp_path: Path) -> None:
    eins = (
        "name: Eins\nkind: library\nrouters:\n"
        "  eins-ap: {addresses: [192.0.2.2, router.example.org], ports: {ssh: 2222}}\n"
        "  eins-gw: {addresses: ['2001:db8::1'], ssh: high}\n"
    )
    inventory = load(write(tmp_path, local="endpoints: {eins-ap: {ssh: '127.0.0.1:4001'}}\n", eins=eins))
    assert ssh_names(inventory, inventory.routers["eins-ap"]) == {
        "eins-ap",
        "[eins-ap]:2222",
        "[192.0.2.2]:2222",
        "[router.example.org]:2222",
        "[127.0.0.1]:4001",
    }
    assert ssh_names(inventory, inventory.routers["eins-gw"]) == {"eins-gw", "[eins-gw]:2222", "[2001:db8::1]:2222"}
