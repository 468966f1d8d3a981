"""~/.ssh/config: what it says about a host, compared with what OpenSSH makes of it; and what it does not say."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wifimgr.errors import ConfigError, Refused
from wifimgr.settings import Endpoint, Hop
from wifimgr.settings.openssh import About, OpenSsh

ANYWHERE = Endpoint("192.0.2.1", 2222)


def home(folder: Path, text: str, **others: str) -> OpenSsh:
    """A home folder whose configuration is this; every other name is a file beside it."""
    ssh = folder / ".ssh"
    ssh.mkdir(mode=0o700, exist_ok=True)
    for name, content in {"config": text, **others}.items():
        (ssh / name).write_text(content, encoding="utf-8")
        (ssh / name).chmod(0o600)
    return OpenSsh(folder)


def about(folder: Path, text: str, *names: str, **others: str) -> About:
    return home(folder, text, **others).about(*(names or ("eins-gw", "192.0.2.1")))


def everything(made: About) -> tuple[object, ...]:
    """All that may be asked."""
    return (made.user, made.port, made.address, made.alias, made.hops, made.keys(ANYWHERE, "root"))


def wrong(folder: Path, text: str, **others: str) -> ConfigError:
    """What is told about a configuration, in one line."""
    with pytest.raises(ConfigError) as caught:
        everything(about(folder, text, **others))
    assert caught.value.id == "bad-ssh-config"
    assert "\n" not in caught.value.line()
    return caught.value


# --- what counts ---


def test_without_a_file_nothing_is_said(tmp_path: Path) -> None:
    made = OpenSsh(tmp_path).about("eins-gw")
    assert (made.user, made.port, made.address, made.alias, made.hops) == ("", 0, "eins-gw", "", ())
    assert made.keys(ANYWHERE, "root") == ()


def test_what_is_said_about_a_host(tmp_path: Path) -> None:
    made = about(
        tmp_path,
        """
        # our routers
        Host eins-* !eins-ap
          User admin   # the usual one
          Port=2200
          HostName 203.0.113.7
          IdentityFile "~/.ssh/my key"
          IdentityFile keys/%n-%r
          HostKeyAlias=eins
          ProxyJump hof@[2001:db8::1]:2201,ssh://bastion:22
          Compression yes
        """,
    )
    assert (made.user, made.port, made.address, made.alias) == ("admin", 2200, "203.0.113.7", "eins")
    assert made.keys(ANYWHERE, "root") == (tmp_path / ".ssh/my key", tmp_path / "keys/eins-gw-root")
    assert made.hops == (Hop("2001:db8::1", "hof", 2201), Hop("bastion", "", 22))


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("User all\n", "all"),
        ("Host eins-gw\nUser name\nHost 192.0.2.*\nUser address\n", "name"),
        ("Host 192.0.2.*\nUser address\nHost eins-gw\nUser name\n", "address"),
        ("Host *\nUser all\nHost eins-gw\nUser name\n", "all"),
        ("Host EINS-gw\nUser name\n", "name"),
        ("host eins-g?\nuser name\n", "name"),
        ("Host eins-g\nUser name\n", ""),
        ("Host [e]ins-gw\nUser pattern\n", ""),
        ("Host * !192.0.2.1\nUser all\n", ""),
        ("Host * !eins-gw\nUser all\n", ""),
        ("Host !eins-gw\nUser none\n", ""),
        ("Host zwei eins-gw\nUser one\n", "one"),
        ('Host "zwei" "eins-gw"\nUser quoted\n', "quoted"),
        ("Match all\nUser all\n", "all"),
        ("Match originalhost eins-gw\nUser name\n", "name"),
        ("Match originalhost zwei,eins-*\nUser name\n", "name"),
        ("Match host 192.0.2.1\nUser address\n", "address"),
        ("HostName 203.0.113.7\nMatch host 192.0.2.1\nUser address\n", ""),
        ("HostName 203.0.113.7\nMatch host 203.0.113.*\nUser address\n", "address"),
        ("Match !host 192.0.2.1\nUser others\n", ""),
        ("Match !host 192.0.2.9\nUser others\n", "others"),
        ("Match host 192.0.2.1 originalhost zwei\nUser both\n", ""),
        ("Match canonical\nUser canonical\n", ""),
        ("Match final\nUser final\n", "final"),
        ("Match tagged x\nUser tagged\n", ""),
        ("Match host zwei exec true\nUser program\n", ""),
        ("Include more\nUser own\n", "included"),
        ("Host zwei\nInclude more\nHost *\nUser own\n", "own"),
        ("Host eins-gw\nInclude more\n", "included"),
        ("Include ~/.ssh/mo*\n", "included"),
        ("Include nothing\nUser own\n", "own"),
    ],
)
def test_a_block_counts_for_the_name_or_the_address_and_the_first_word_wins(
    text: str, user: str, tmp_path: Path
) -> None:
    assert about(tmp_path, text, more="Host eins-gw\nUser included\n").user == user


def test_a_block_of_an_included_file_ends_with_it(tmp_path: Path) -> None:
    made = about(tmp_path, "Include more\nPort 2200\n", more="Host zwei\nUser other\n")
    assert (made.user, made.port) == ("", 2200)


def test_match_knows_who_runs_it_and_whom_it_logs_in_as(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "hier")
    assert about(tmp_path, "Match localuser hier\nPort 1\n").port == 1
    assert about(tmp_path, "Match user hier\nPort 1\n").port == 1
    assert about(tmp_path, "User dort\nMatch user hier\nPort 1\n").port == 0


def test_keys_of_all_blocks_count_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "/media/stick")
    text = "Host eins-gw\nIdentityFile %d/a\nHost *\nIdentityFile ${WHERE}/b\nIdentityFile none\nIdentityFile ~/c%%\n"
    keys = about(tmp_path, text).keys(ANYWHERE, "root")
    assert keys == (tmp_path / "a", Path("/media/stick/b"), tmp_path / "c%")


def test_a_jump_through_itself_does_not_count(tmp_path: Path) -> None:
    text = "Host *\nProxyJump bastion\n"
    assert about(tmp_path, text).hops == (Hop("bastion"),)
    assert about(tmp_path, text, "bastion").hops == ()


def test_a_jump_that_is_none_ends_the_search(tmp_path: Path) -> None:
    assert about(tmp_path, "ProxyJump none\nProxyJump bastion\nProxyCommand nc\n").hops == ()


# --- what OpenSSH says ---


@pytest.mark.skipif(shutil.which("ssh") is None, reason="needs ssh")
@pytest.mark.parametrize(
    "text",
    [
        "Host eins-gw\n User a\n Port 2200\nHost *\n User b\n",
        "Host * !eins-gw\n User a\nMatch host eins-gw\n User b\n",
        "HostName 203.0.113.7\nMatch host 203.0.113.7\n User a\n",
        "Match originalhost eins-*\n User a\n HostName 203.0.113.8\n",
        "Match !originalhost zwei\n User a\n",
        "User=a\nPort = 2201\n",
        'User "a"\nHostKeyAlias b # a comment\n',
        "ProxyJump x@bastion:2202,zwei\nProxyCommand nc\n",
        "Host eins-gw\nInclude INCLUDED\nHost *\n User last\n",
        "Host zwei\nInclude INCLUDED\nHost *\n User last\n",
        "Include INCLUDED\nUser own\n",
    ],
)
def test_openssh_reads_the_same(text: str, tmp_path: Path) -> None:
    included = tmp_path / ".ssh/more"
    text = text.replace("INCLUDED", str(included))
    made = about(tmp_path, text, "eins-gw", more="User inside\nHost eins-gw\n Port 2210\n")
    command = ["ssh", "-G", "-F", str(tmp_path / ".ssh/config"), "eins-gw"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    told = dict(line.split(" ", 1) for line in shown.splitlines())
    assert told["port"] == str(made.port or 22)
    assert told["hostname"] == made.address
    assert told.get("hostkeyalias", "") == made.alias
    assert made.user in ("", told["user"])
    hops = [f"{hop.user}@{hop.name}:{hop.port}".removeprefix("@").removesuffix(":0") for hop in made.hops]
    assert told.get("proxyjump", "") == ",".join(hops)


# --- what only a program could tell ---


@pytest.mark.parametrize(
    "text",
    [
        "ProxyCommand touch RAN\n",
        "ProxyCommand touch RAN; nc %h %p\nProxyJump bastion\n",
        "Match exec 'touch RAN'\nProxyJump bastion\n",
        "Match host 192.0.2.1 exec 'touch RAN'\nProxyCommand none\n",
        "Match localnetwork 192.0.2.0/24\nProxyJump bastion\n",
        "Match !exec 'touch RAN'\nProxyJump none\n",
    ],
)
def test_no_program_is_started_and_its_way_is_not_gone_around(text: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    made = about(tmp_path, text.replace("RAN", str(ran)))
    with pytest.raises(Refused) as caught:
        everything(made)
    number = 2 if text.startswith("Match") else 1
    assert caught.value.line() == (
        f"eins-gw: ~/.ssh/config:{number} makes a program decide how it is logged in to, and wifimgr starts none; "
        "write ProxyJump, or Host in place of Match, there; or jump, user and key into the inventory [needs-program]"
    )
    assert not ran.exists()
    assert (made.user, made.port, made.keys(ANYWHERE, "root")) == ("", 0, ())


def test_what_was_said_before_needs_no_program(tmp_path: Path) -> None:
    made = about(tmp_path, "User a\nProxyJump none\nMatch exec true\nUser b\nPort 2200\nProxyCommand nc\n")
    assert (made.user, made.hops) == ("a", ())
    with pytest.raises(Refused):
        everything(made)


@pytest.mark.parametrize("key", ["User x", "Port 22", "IdentityFile ~/x"])
def test_each_value_that_a_program_decides_about_is_refused(key: str, tmp_path: Path) -> None:
    made = about(tmp_path, f"Match exec true\n{key}\n")
    with pytest.raises(Refused):
        everything(made)


# --- what cannot be understood ---


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Host *\n}{\n", "~/.ssh/config:2: is no line of a configuration of OpenSSH; "),
        ("User\n", "~/.ssh/config:1: there is nothing behind the keyword; "),
        ("User # nobody\n", "~/.ssh/config:1: there is nothing behind the keyword; "),
        ("Host\n", "~/.ssh/config:1: there is nothing behind the keyword; "),
        ("Match\n", "~/.ssh/config:1: there is nothing behind the keyword; "),
        ("Match host\n", "~/.ssh/config:1: Match host: there is nothing behind it; "),
        ("User 'a\n", "~/.ssh/config:1: a quote is not closed; "),
        ("Port 0\n", "~/.ssh/config:1: Port: '0' is no port; "),
        ("Port ssh\n", "~/.ssh/config:1: Port: 'ssh' is no port; "),
        ("Port ²\n", "~/.ssh/config:1: Port: '²' is no port; "),
        ("Port 65536\n", "~/.ssh/config:1: Port: '65536' is no port; "),
        ("ProxyJump a b\n", "~/.ssh/config:1: ProxyJump: 'a b' is no host; "),
        ("ProxyJump a,,b\n", "~/.ssh/config:1: ProxyJump: '' is no host; "),
        ("ProxyJump a:99999\n", "~/.ssh/config:1: ProxyJump: 'a:99999' is no host; "),
        ("ProxyJump $(x)\x1b[0m\n", "~/.ssh/config:1: ProxyJump: '$(x)\\u001b[0m' is no host; "),
        ("\nIdentityFile %x\n", "~/.ssh/config:2: wifimgr does not know what %x stands for; write it out ["),
        ("IdentityFile ${NOT_SET}\n", "~/.ssh/config:1: wifimgr does not know what ${NOT_SET} stands for; "),
        ("Include config\n", "~/.ssh/config:1: files include each other without end; take one Include out ["),
        ("Include more\n", "~/.ssh/more:2: a quote is not closed; "),
    ],
)
def test_what_is_wrong_is_told_in_one_line(text: str, line: str, tmp_path: Path) -> None:
    assert wrong(tmp_path, text, more="\nUser 'a\n").line().startswith(line)


def test_a_file_that_others_may_write_to_is_not_taken(tmp_path: Path) -> None:
    home(tmp_path, "User a\n")
    (tmp_path / ".ssh/config").chmod(0o620)
    with pytest.raises(ConfigError) as caught:
        OpenSsh(tmp_path).about("eins-gw")
    assert "~/.ssh/config: belongs to somebody else, or others may write to it" in caught.value.line()


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    home(tmp_path, "")
    (tmp_path / ".ssh/config").write_bytes(b"\xff")
    with pytest.raises(ConfigError) as caught:
        OpenSsh(tmp_path).about("eins-gw")
    assert caught.value.line().startswith("~/.ssh/config: is not UTF-8 text; ")
    (tmp_path / ".ssh/config").unlink()
    (tmp_path / ".ssh/config").mkdir()
    with pytest.raises(ConfigError) as caught:
        OpenSsh(tmp_path).about("eins-gw")
    assert caught.value.line().startswith("~/.ssh/config: cannot be read: is a directory; ")


LINES = st.lists(
    st.sampled_from(["Host *", "Host a !b", "Match all", "User x", "Port 22", "ProxyJump a,b", "Include x", "# x", ""])
    | st.text(alphabet=st.sampled_from("HostUserMatchPort *!,='\"%${}~#\\ \t0Ä\x1b"), max_size=30),
    max_size=8,
)


@given(lines=LINES)
def test_any_text_is_read_or_refused(lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("home", numbered=True)
    with suppress(ConfigError, Refused):
        assert everything(about(folder, "\n".join(lines)))
