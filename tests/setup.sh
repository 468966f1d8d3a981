#!/bin/sh
# Installs the Debian packages that the tests need, or those that are named. Does nothing where all are there.
# Only root on a Debian-like system gets them; everywhere else the tests say what they skip and why.
set -eu

if [ $# -eq 0 ]; then
    set -- dropbear-bin busybox-static dash util-linux git snmpd snmp prometheus openssh-client chromium fonts-dejavu-core
fi

command -v apt-get >/dev/null 2>&1 && command -v dpkg-query >/dev/null 2>&1 || exit 0

missing=""
for package in "$@"; do
    status=$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "not root, so not installed:$missing (tests that need them are skipped)" >&2
    exit 0
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive

install() {
    # $missing is a list of words
    # shellcheck disable=SC2086
    apt-get install --yes --no-install-recommends --option DPkg::Lock::Timeout=120 $missing >>"$log" 2>&1
}

echo "installing Debian packages:$missing"
# A machine that never ran "apt-get update" knows no package, one that ran it long ago knows old ones.
if ! install && ! { apt-get update >>"$log" 2>&1 && install; }; then
    tail -n 5 "$log" >&2
    echo "could not be installed:$missing" >&2
    exit 1
fi
