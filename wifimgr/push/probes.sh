#!/bin/sh
# What a push asks a router to try before it is confirmed; travels behind router.sh, whose R and say it uses, and only
# where a playbook wishes it. Nothing is changed. Neighbours are counted here: no address of one leaves the router.
#
# PROBES: "ping=ADDRESS neighbours=N service=NAME", plain characters without spaces. LIMIT: whole seconds.
# shellcheck disable=SC2086,SC2153,SC2154

# All at the same time. What has not answered after LIMIT seconds says nothing at all.
probe() {
	tries=
	for each in $PROBES; do
		(say probe "${each%%=*}" "${each#*=}" "$("try_${each%%=*}" "${each#*=}")") 2>/dev/null &
		tries="$tries $!"
	done
	(
		sleep "$LIMIT"
		kill $tries
	) >/dev/null 2>&1 &
	wait $tries
	kill $! 2>/dev/null
}

try_ping() { ping -c 1 -W 3 "$1" >/dev/null && echo yes || echo no; }

# What procd runs, it knows; how it calls it may hold a secret, so that stays here. An init script that does not know
# "running" prints its help and ends well.
try_service() {
	case $(ubus -t 2 call service list "{\"name\":\"$1\"}") in
	*'"running": true'*) echo yes ;;
	*)
		[ -e "$R/etc/init.d/$1" ] || { echo missing && return; }
		help=$("$R/etc/init.d/$1" running </dev/null) && [ -z "$help" ] && echo yes || echo no
		;;
	esac
}

# The number of links to neighbours over all meshes there are; "none" where there is no mesh.
try_neighbours() {
	links=
	for found in $(in_batman) $(in_babel) $(in_olsr); do links=$((${links:-0} + found)); done
	echo "${links:-none}"
}

# It keeps neighbours for minutes after they were heard last.
in_batman() {
	command -v batctl >/dev/null || return 0
	table=$(batctl n -H) || return 0
	printf '%s\n' "$table" |
		awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^[0-9.]+s$/ && $i + 0 < 20) n++ } END { print n + 0 }'
}

# A cost of 65535 is endless.
in_babel() {
	table=$(ubus -t 2 call babeld get_neighbours) || return 0
	printf '%s\n' "$table" | awk '$1 == "\"rxcost\":" && $2 + 0 < 65535 { n++ } END { print n + 0 }'
}

in_olsr() {
	table=$(uclient-fetch -q -T 2 -O - http://127.0.0.1:9090/neighbors) || return 0
	case $table in *'"neighbors"'*) ;; *) return 0 ;; esac
	printf '%s\n' "$table" | awk '{ n += gsub(/"symmetric": *true/, "") } END { print n + 0 }'
}
