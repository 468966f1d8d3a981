#!/bin/sh
# What wifimgr asks an OpenWrt router over SSH. It reads and never writes; only what OpenWrt comes with is used.
#
# Whoever is on the Wi-Fi is counted here: no hardware address of a device leaves the router, and no Wi-Fi password
# (both are in what ubus says). NONCE, WAIT and the arguments come from the sender, the names in them are plain words.
# shellcheck disable=SC2154

say() { printf 'wifimgr:%s %s\n' "$NONCE" "$*"; }

ask() { ubus -t "$WAIT" call "$1" "$2" 2>/dev/null; }

# values NETWORK: everything there is to know but the internet. NETWORK is what guests are in.
values() {
	wireless=$(ask network.wireless status)
	{
		say info
		ask system info
		say board
		ask system board
		say wireless
		printf '%s\n' "$wireless"
		say devices
		ask network.device status
		say guest
		ask "network.interface.$1" status
		for name in $(printf '%s\n' "$wireless" | sed -n 's/^[[:space:]]*"ifname": "\([^"]*\)".*/\1/p'); do
			say bss "$name"
			ask "hostapd.$name" get_status
			say clients "$name"
			ask "hostapd.$name" get_clients || iwinfo "$name" assoclist 2>/dev/null
		done
		say end
	} | keep
}

# ubus prints one value a line. Values of these keys pass, every other one becomes null; clients become their number.
keep() {
	awk -v mark="wifimgr:$NONCE " '
	BEGIN {
		n = split("uptime load total available model description up disabled carrier present band hwmode mode ssid network " \
			"ifname status time utilization rx_bytes tx_bytes rx_errors tx_errors l3_device address mask", word)
		for (i = 1; i <= n; i++) kept[word[i]]
	}
	index($0, mark) == 1 {
		if (told) print mark "clients", who "\n" count + 0
		told = count = 0
		who = $2 == "clients" ? $3 : ""
		if (!who) print
		next
	}
	who {
		if (/^[ \t]*"clients": / || /^No station connected/) told = 1
		if (/^[ \t]*"authorized": true/ || /^[0-9A-F][0-9A-F]:[0-9A-F][0-9A-F]:/) count += told = 1
		next
	}
	{
		head = rest = $0
		sub(/[^ \t].*/, "", head)
		sub(/^[ \t]*/, "", rest)
		if (match(rest, /^"([^"\\]|\\.)*": /)) {
			key = substr(rest, 2, RLENGTH - 4)
			head = head substr(rest, 1, RLENGTH)
			rest = substr(rest, RLENGTH + 1)
			if (rest ~ /^\[/) list = key
		}
		ours = key in kept && (key != "address" || list == "ipv4-address")
		if (rest !~ /^[][{}]/ && rest != "" && !ours) rest = "null" (rest ~ /,$/ ? "," : "")
		print head rest
	}'
}

# introduce: what the router is.
introduce() {
	say board
	ask system board
	[ ! -e "${WIFIMGR_ROOT-}/lib/gluon/gluon-version" ] || say gluon
}

ended() {
	say code
	echo "$1"
}

# resolve NAME [SERVER]: the IPv4 addresses of a name.
resolve() {
	say answer
	nslookup -type=a "$@" 2>/dev/null
	ended $?
}

# fetch ADDRESS SECONDS [TARGET GUEST DEVICE]: gets a web page and throws it away. With a target, it also tells which
# way the kernel takes there for a guest and for the router itself.
fetch() {
	[ $# -lt 5 ] || {
		say guest
		ip route get "$3" from "$4" iif "$5" 2>&1
		say router
		ip route get "$3" 2>&1
	}
	uclient-fetch -q -T "$2" -O /dev/null "$1" >/dev/null 2>&1
	ended $?
}
