#!/bin/sh
# What is asked of a router besides its files, and what is done to it that has no undo: packages and commands. Travels
# behind router.sh and probes.sh, whose functions it uses, and only where a playbook wishes such things.
# shellcheck disable=SC1010,SC2013,SC2015,SC2086,SC2153,SC2154

UNLESS_SECONDS=5

# ---------------------------------------------------------------- questions, answered behind those of show

# Which program manages packages, and which of these are installed. opkg list-installed prints a line for each one that
# is, apk info -e exits with the number of those that are not.
ask_packages() {
	manager=apk
	command -v apk >/dev/null || manager=opkg
	command -v $manager >/dev/null || manager=none
	say manager $manager
	for name; do
		there=no
		case $manager in
		apk) ! apk info -e "$name" >/dev/null 2>&1 || there=yes ;;
		opkg)
			line=$(opkg list-installed "$name" 2>/dev/null) || there=unknown
			[ -z "$line" ] || there=yes
			;;
		esac
		say package "$name" $there
	done
}

# What a service is: its numbers in the order of start and stop, whether it runs, and then its links and those that it
# would have, like files.
ask_service() {
	init=$R/etc/init.d/$1
	[ -f "$init" ] || { say service "$1" absent && return 0; }
	start=$(number_of START "$init")
	stop=$(number_of STOP "$init")
	say service "$1" "${start:--}" "${stop:--}" "$(try_service "$1")"
	links=
	for link in "$R"/etc/rc.d/[SK][0-9]"$1" "$R"/etc/rc.d/[SK][0-9][0-9]"$1" \
		${start:+"$R/etc/rc.d/S$start$1"} ${stop:+"$R/etc/rc.d/K$stop$1"}; do
		link=${link#"$R/"}
		case $link in *'['*) continue ;; esac
		case " $links " in *" $link "*) ;; *) links="$links $link" ;; esac
	done
	tell "$R" $links
}

number_of() { sed -n "s/^$1=[\"']\{0,1\}\([0-9]\{1,2\}\)[\"']\{0,1\}[[:space:]]*\$/\1/p" "$2" | tail -n 1; }

# ask_unless CODE: whether all is right already. It may not change anything: nobody has said yes to a plan by now. Where
# the shell finds no such program, or cannot even read it, that is no answer.
ask_unless() {
	limited $UNLESS_SECONDS "$1" /dev/null
	case $? in
	0) say unless yes ;;
	126 | 127) say unless missing ;;
	137) say unless late ;;
	2) printf '%s\n' "$1" | sh -n 2>/dev/null && say unless no || say unless broken ;;
	*) say unless no ;;
	esac
}

# ---------------------------------------------------------------- a step: done before a change, never taken back

# take_step SECONDS CODE: one router, one push: as for a change. What it printed last goes with the answer when it fails.
take_step() {
	lock || { say refused busy && exit 0; }
	undo_overdue
	! find_state "pending undo" || { say refused pending "$STATE.$TX" && exit 0; }
	why=$(in_the_way)
	[ -z "$why" ] || { say refused "$why" && exit 0; }
	mkdir -p "$V" && true >"$V/step" || { say refused nospace && exit 0; }
	limited "$1" "$2" "$V/step"
	code=$?
	if [ $code -eq 0 ]; then
		say done
	else
		say failed $code
		tail -n 3 "$V/step" | tail -c 4000
		echo
		say end
	fi
	rm -f "$V/step"
}

# limited SECONDS CODE FILE: runs it in a shell of its own, whose output goes to a file: a daemon that it leaves behind
# would keep a pipe open for ever, and the lock. 137: it took too long, and was ended with all that it had begun: what
# lost its parent meanwhile is known by a word in its environment.
limited() {
	(
		exec 9>&- >"$3" 2>&1
		printf '%s\n' "$2" | WIFIMGR_STEP=$NONCE sh -c 'eval "$(cat)"'
	) &
	job=$!
	(
		exec 9>&- </dev/null >/dev/null 2>&1
		sleep "$1"
		end_all $job
	) &
	watch=$!
	wait $job 2>/dev/null
	result=$?
	end_all $watch
	wait $watch 2>/dev/null
	[ $result -ne 137 ] || end_orphans
	return $result
}

# Whoever is stopped begins nothing new meanwhile.
end_orphans() {
	for signal in STOP STOP KILL; do
		for each in $(grep -ls "WIFIMGR_STEP=$NONCE" /proc/[0-9]*/environ); do
			each=${each#/proc/}
			kill -$signal "${each%/*}" 2>/dev/null
		done
	done
}
