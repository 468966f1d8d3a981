#!/bin/sh
# wifimgr on a router: carries a change, and takes it back unless it is confirmed.
#
# One file with two lives. A push sends it over SSH and calls begin, new, arm; later logins call look and confirm.
# The push also leaves it as /etc/init.d/wifimgr, where S09wifimgr runs "boot" before the network starts, so that an
# unconfirmed change never survives a reboot. Only applets of OpenWrt's busybox are used; uci only judges syntax,
# files are always swapped by rename. The format on flash is fixed in docs/decisions/0002-format-on-the-router.md:
#
#   /etc/wifimgr/format        format number of this folder
#   /etc/wifimgr/tx.TX/        old/ (snapshot), new/ (staged files), manifest, sums, meta, release ...
#   /etc/wifimgr/pending.TX    applied, not confirmed: "armed deadline settle gap forget", seconds of uptime
#   /etc/wifimgr/undo.TX       is being taken back      (by rename from pending.TX: exactly one of the two
#   /etc/wifimgr/confirmed.TX  stays                     renames pending->confirmed, pending->undo can win)
#   /etc/wifimgr/rolledback.TX was taken back, and the files were seen to equal the snapshot
#   /etc/wifimgr/rebooted.TX   ... and a reboot followed, because nobody logged in
#
# Paths and transaction ids hold only [A-Za-z0-9._/@+-] (checked by the sender), so lists of them are split at spaces.
# "A && B || refuse" means: refuse unless both hold. Capital names come from the sender.
# shellcheck disable=SC2086,SC2012,SC2013,SC2015,SC2046,SC2094,SC2153

R=${WIFIMGR_ROOT-} # empty on a router; the directory tree of a simulated router in the lab
W=$R/etc/wifimgr   # on flash: survives a power cut
V=$R/tmp/wifimgr   # in RAM: gone after a reboot
FORMAT=1
GUARD=$R/etc/init.d/wifimgr
LINK=$R/etc/rc.d/S09wifimgr
KEEP=$R/lib/upgrade/keep.d/wifimgr
LOCKED=
AFTER=
umask 077

say() { printf 'wifimgr:%s %s\n' "$NONCE" "$*"; }

# Ends the push before anything was touched; the staged files go, earlier snapshots stay.
refuse() {
	rm -rf "$T"
	rmdir "$W" 2>/dev/null
	say refused "$@"
	exit 0
}

# UP: seconds since boot, NOW: hundredths. Never the wall clock: routers have none of their own.
uptime_now() {
	read -r UP _ </proc/uptime
	NOW=$((${UP%.*} * 100 + 1${UP#*.} - 100)) UP=${UP%.*} # 1: 08 would be octal
}

# One holder at a time, released by the kernel when the holder dies. Whatever outlives this shell closes fd 9.
lock() {
	[ -z "$LOCKED" ] || return 0
	# Where it cannot be opened, exec (and ":") would end this shell, and the dead man with it; "true" only fails.
	{ true >>"$R/tmp/wifimgr.lock"; } 2>/dev/null || return 1
	exec 9>>"$R/tmp/wifimgr.lock"
	# Who left may have taken the file along in between: then this locks nobody out.
	flock -n 9 && [ "$R/tmp/wifimgr.lock" -ef /proc/self/fd/9 ] && LOCKED=1
}

# A line for each path, as sha256sum prints it; for links, which come last, with where they lead to.
sums() {
	plain=
	for path; do [ -L "$path" ] || plain="$plain $path"; done
	[ -z "$plain" ] || sha256sum $plain 2>/dev/null
	for path; do [ ! -L "$path" ] || echo "link:$(readlink "$path")  $path"; done
}

# Whether anything is there, be it a link to nowhere.
is_there() { [ -e "$1" ] || [ -L "$1" ]; }

# "mode owner group size name" a line. Without dates: a router's clock may jump by years between two looks.
meta() { [ $# -eq 0 ] || ls -lnd "$@" 2>/dev/null | awk '{ print $1, $3, $4, $5, $NF }'; }

# The marker of one transaction or of any: sets STATE and TX; false when there is none.
find_state() {
	for STATE in $1; do
		for m in "$W/$STATE".${2:-*}; do
			[ -e "$m" ] || continue
			TX=${m##*.}
			return 0
		done
	done
	STATE=
	return 1
}

# What is on flash is of our format, where there is anything: a power cut may have left it empty.
known_format() { [ ! -s "$W/format" ] || { number "$W/format" && [ "$N" = $FORMAT ]; }; }

# ---------------------------------------------------------------- taking a change back

# number FILE: sets N to the first word and REST to the others; false unless it is a number: RAM may be full.
number() {
	N='' REST=''
	read -r N REST 2>/dev/null <"$1"
	case $N in '' | *[!0-9]*) return 1 ;; esac
}

# aside PATH: a folder is where a file, or nothing, has to be.
aside() { [ ! -d "$R/$1" ] || mv "$R/$1" "$R/$1.in-the-way"; }

# put_back PATH: one file of the snapshot.
put_back() {
	aside "$1"
	mv -f "$T/old/$1" "$R/$1" && fresh=1
}

# Puts the snapshot back by rename: needs no free flash, can be repeated after a power cut at any point. What differs
# after an earlier try has put it back, or swept it away, was changed by somebody since: theirs to keep.
restore() {
	[ -s "$T/manifest" ] || return 1
	fresh='' files=$(sed -n 's/^file //p' "$T/manifest")
	while read -r kind path; do
		case $kind in
		file) ! is_there "$T/old/$path" || put_back "$path" ;;
		absent) rm -f "$R/$path" || aside "$path" ;;
		only)
			[ ! -e "$T/swept" ] || continue
			for new in $(others $files); do rm -f "$R/$new" || return 1; done
			sync
			true >"$T/swept"
			;;
		dir) rmdir "$R/$path" 2>/dev/null ;;
		esac
	done <"$T/manifest"
	sync
	for path in $files; do ! is_there "$T/old/$path" || return 1; done
	[ -z "$fresh" ] && [ ! -e "$T/differs" ] || (
		cd "$R/" && [ "$(sums $files)" = "$(cat "$T/sums")" ] && [ "$(meta $files)" = "$(cat "$T/meta")" ]
	) || {
		true >"$T/differs" # the snapshot was bad: for a person to see, no later try may call it good
		return 1
	}
	for path in $(sed -n 's/^absent //p' "$T/manifest"); do ! is_there "$R/$path" || return 1; done
}

# undo TX: "rolledback" is written last, and only when the files equal the snapshot again.
undo() {
	TX=$1 T=$W/tx.$1
	mv "$W/pending.$TX" "$W/undo.$TX" 2>/dev/null
	[ -e "$W/undo.$TX" ] || return 0
	AFTER=
	[ ! -e "$V/taken.$TX" ] || AFTER=$(cat "$V/after.$TX") # in RAM: after a reboot there is nothing to take up
	[ ! -e "$V/reload.$TX" ] || end_all "$(cat "$V/reload.$TX")"
	restore || return 1
	rm -f "$KEEP"
	mv "$W/undo.$TX" "$W/rolledback.$TX" || return 1
	sync
	rm -rf "$T" "$V"/*."$TX"
}

# end_all PID: a process and all that it started: a gluon-reconfigure that went on would write over what is put back.
end_all() {
	kill -STOP "$1" 2>/dev/null || return 0
	for stat in /proc/[0-9]*/stat; do
		read -r line 2>/dev/null <"$stat" || continue
		rest=${line##*) ? } # "number (name) state parent ...", and a name may hold anything
		[ "$rest" = "$line" ] || [ "${rest%% *}" != "$1" ] || (end_all "${line%% *}")
	done
	kill -KILL "$1"
}

# take_up forward|back: lets the daemons take up the files that are there now. AFTER says what that needs besides a
# reload, one thing a line; what nobody knows is left alone. No pipe: who kills this shell ends the loop, too.
#
# What Gluon did to its network only a reboot takes back for sure. It comes once: what tells that there is anything to
# take back is gone after it.
take_up() {
	FAILED=
	[ "${AFTER%% *}" = gluon ] || reload_config
	while read -r what how name; do
		case "$1 $what $how" in
		"forward gluon "*)
			{ [ "$how" = reload ] || gluon-reconfigure; } </dev/null && gluon-reload </dev/null || FAILED=gluon
			reload_config # what follows no gluon-reload, like dropbear
			continue
			;;
		"back gluon "*) "$R/sbin/reboot" && return ;;
		"forward service "* | "back service restart") ;;
		"back service start") how=stop ;;
		"back service stop") how=start ;;
		*) continue ;;
		esac
		"$R/etc/init.d/$name" "$how" </dev/null
	done <<-EOF
		$AFTER
	EOF
}

# After an undo. The answer leaves first: the reload may cut the connection.
take_up_soon() {
	(
		trap '' HUP
		sleep 1
		take_up back
	) 9>&- </dev/null >/dev/null 2>&1 & # the lock first: an open output keeps who asks
}

# The dead man's switch: started by arm, outlives the connection, fires unless the change was confirmed by then.
dead_man() {
	sleep "$1"
	LOCKED=
	find_state "pending undo" "$TX" || exit 0
	tries=0
	until lock || [ $tries -ge 30 ]; do # somebody confirms at this very second: let that end first
		tries=$((tries + 1))
		sleep 1
	done
	find_state "pending undo" "$TX" || exit 0
	undo "$TX"
	exec 9>&-
	take_up back &
	reboot_when_alone
}

# A reload does not end all that a bad change began. Nobody of ours came back after an undo: a reboot may help. Once for
# a change, and only when that is safe on flash: a router that reboots for ever is worse than one that waits.
reboot_when_alone() {
	[ "$REBOOT" -gt 0 ] && mkdir -p "$V" && true >"$V/alone.$TX" || return 0
	sleep "$REBOOT"
	LOCKED=
	[ -e "$V/alone.$TX" ] && [ ! -e "$W/rebooted.$TX" ] && lock || return 0
	true >"$W/rebooted.$TX" && sync && [ -e "$W/rebooted.$TX" ] && "$R/sbin/reboot"
}

# Any later connection undoes a change whose dead man was killed: past its deadline, or from before a reboot.
undo_overdue() {
	find_state "pending undo" || return 0
	known_format || return 0 # left by a newer wifimgr: its own guard takes care of it
	uptime_now
	if [ "$STATE" = pending ] && number "$W/pending.$TX"; then
		[ "$UP" -ge "${REST%% *}" ] || [ "$UP" -lt "$N" ] || return 0
	fi
	lock || return 0
	undo "$TX"
	take_up_soon
}

# At boot, before the network: nothing unconfirmed survives. No lock: nobody else runs yet.
boot() {
	while find_state "pending undo"; do undo "$TX" || return 1; done
	for m in "$W"/confirmed.*; do [ ! -e "$m" ] || forget "$m"; done
	clear_staged
	rm -f "$KEEP"
}

# What was left by pushes that were cut before they were armed; only while no change is open.
clear_staged() {
	for d in "$W"/tx.*; do
		find_state "confirmed" "${d##*.}" || rm -rf "$d"
	done
}

# forget MARKER: the snapshot of a confirmed change goes when it holds a secret that is no longer valid, and when another
# firmware runs than the one it was taken from: its files may mean something else there.
forget() {
	read -r _ _ _ _ secret <"$1"
	[ "$secret" != 1 ] && same_release "$W/tx.${1##*.}" || rm -rf "$W/tx.${1##*.}"
}

release() { cat "$R/etc/openwrt_release" "$R/lib/gluon/release" 2>/dev/null | sha256sum; }

same_release() { [ "$(release)" = "$(cat "$1/release" 2>/dev/null)" ]; }

# ---------------------------------------------------------------- reading

# show PATH...: what each path is.
show() {
	undo_overdue
	find_state "pending undo" && say open "$STATE" "$TX"
	tell "$R" "$@"
	say end
}

# others PATH...: the plain files in etc/config besides these. A name that no push could handle is nobody's business.
others() {
	for path in "$R"/etc/config/*; do
		path=${path#"$R/"}
		case " $* " in *" $path "*) continue ;; esac
		case $path in *[!A-Za-z0-9._/@+-]*) continue ;; esac
		[ -L "$R/$path" ] || [ ! -f "$R/$path" ] || echo "$path"
	done
}

# tell FOLDER PATH...: what each path is there; a link with where it leads to. Then the lines of meta of all files, and
# their bytes one after the other, in that order. One program for all: each one costs an old router some milliseconds.
tell() {
	from=$1 there=
	shift
	for path; do
		if [ "$path" = etc/config/ ]; then
			there="$there $(others)"
		elif [ -L "$from/$path" ]; then
			say link "$path" "$(readlink "$from/$path")"
		elif [ -f "$from/$path" ]; then
			there="$there $path"
		elif [ -e "$from/$path" ]; then
			say other "$path"
		else
			say absent "$path"
		fi
	done
	listing=$(cd "$from/" && meta $there)
	[ -n "$listing" ] || return 0
	printf 'wifimgr:%s files\n%s\nwifimgr:%s contents\n' "$NONCE" "$listing" "$NONCE" # at once: each costs a packet
	there=
	set -- $listing
	while [ $# -ge 5 ]; do there="$there $5" && shift 5; done
	(cd "$from/" && cat $there)
	echo
}

# The newest confirmed change: a power cut may have left an older one beside it. Sets TX and T.
last_confirmed() {
	TX=
	for m in "$W"/confirmed.*; do [ ! -e "$m" ] || TX=${m##*.}; done
	T=$W/tx.$TX
	[ -n "$TX" ]
}

# One word for why there is nothing to go back to; nothing when there is a snapshot.
no_snapshot() {
	if find_state "pending undo"; then
		echo pending
	elif ! known_format; then
		echo format
	elif ! last_confirmed; then
		echo never
	elif read -r _ _ _ _ secret <"$W/confirmed.$TX" && [ "$secret" = 1 ]; then
		echo secret
	elif [ ! -s "$T/manifest" ] || ! same_release "$T"; then
		echo release
	else
		files=$(sed -n 's/^file //p' "$T/manifest")
		[ "$(cd "$T/old" && sums $files)" = "$(cat "$T/sums")" ] || echo damaged
	fi
}

# snapshot: the files as they were before the last confirmed change.
snapshot() {
	undo_overdue
	why=$(no_snapshot)
	[ -z "$why" ] || { say nothing "$why" && return 0; }
	last_confirmed
	files=$(sed -n 's/^file //p' "$T/manifest")
	tell "$T/old" $files
	for path in $(sed -n 's/^absent //p' "$T/manifest"); do say absent "$path"; done
	say end
}

# ---------------------------------------------------------------- what is in the way of a change

# A firmware upgrade runs: it would drop the snapshot and keep the change. sysupgrade leaves these files just before it
# hands over to upgraded. Not sysupgrade.tar: an upgrade that is long over may have left that at boot.
upgrading() {
	pidof sysupgrade upgraded >/dev/null 2>&1 ||
		[ -e "$R/tmp/sysupgrade" ] || [ -e "$R/tmp/sysupgrade.tgz" ] || [ -e "$R/tmp/sysupgrade.conffiles" ]
}

# Says "ram" where /etc is gone after a reboot (a RAM image, or the overlay of a flash that is not ready yet), "readonly"
# where nothing can be written. Of the overlay and of what its upper layer lies on, each can be so.
unfit_flash() {
	awk '
	function on(path,   i, best) {
		for (i = 1; i <= NR; i++)
			if ((at[i] == "/" || index(path "/", at[i] "/") == 1) && length(at[i]) >= length(at[best])) best = i
		return best
	}
	function judge(mount) {
		if (type[mount] ~ /^(tmpfs|ramfs|rootfs|)$/) { print "ram"; exit }
		if (how[mount] !~ /,rw,/) { print "readonly"; exit }
	}
	{ at[NR] = $2; type[NR] = $3; how[NR] = "," $4 "," }
	END {
		root = on("/etc/wifimgr")
		judge(root)
		if (type[root] == "overlay" && match(how[root], /,upperdir=[^,]*/))
			judge(on(substr(how[root], RSTART + 10, RLENGTH - 10)))
	}' "$R/proc/mounts" 2>/dev/null || echo readonly
}

# One word for what is in the way; nothing when a change may come.
in_the_way() {
	if upgrading; then
		echo upgrade
	elif pidof autoupdater >/dev/null 2>&1; then
		echo autoupdate
	elif is_there "$R"/etc/config/*_gluon-old; then
		echo reconfigure
	elif [ ! -s "$R/var/run/config.md5" ]; then
		echo baseline
	elif [ -n "$(uci -q changes 2>/dev/null)" ] || {
		is_there "$R"/var/run/rpcd/uci-*/* && [ -n "$(cat "$R"/var/run/rpcd/uci-*/*)" ]
	}; then
		echo staged
	else
		unfit_flash
	fi
}

# enough_flash KB: false unless so much is free. Counted from the end of what df says: names of devices may hold spaces.
enough_flash() {
	need=$1
	set -- $(df -k "$R/etc" 2>/dev/null)
	[ $# -ge 3 ] && shift $(($# - 3)) && [ "$1" -ge "$need" ] 2>/dev/null
}

# ---------------------------------------------------------------- a change: begin, new (once a file), arm

# In: TX; HAVE, ABSENT: paths of the change that must be there or not; OVER: those of HAVE to be written over; SEEN, LACKS: the same for what it depends on;
# BASE, MORE: the sums of HAVE and of SEEN as last seen; NEED: KB of flash that have to be free.
begin() {
	T=$W/tx.$TX
	lock || { say refused busy && exit 0; }
	known_format || refuse format
	CHANGE=$TX
	undo_overdue
	find_state "pending undo" && open=$STATE.$TX TX=$CHANGE T=$W/tx.$CHANGE && refuse pending "$open"
	TX=$CHANGE T=$W/tx.$CHANGE
	why=$(in_the_way)
	[ -z "$why" ] || refuse "$why"
	enough_flash "$NEED" || refuse nospace
	same=$(cd "$R/" && sums $HAVE $SEEN)
	[ "$same" = "$BASE$MORE" ] || refuse moved
	for path in $ABSENT $LACKS; do ! is_there "$R/$path" || refuse moved; done
	clear_staged
	TX=$CHANGE
	mkdir -p "$T/old" "$T/new" "$V" && chmod 700 "$W" || refuse nospace
	copy new $OVER
}

# A program for a folder that is there costs an old router some milliseconds.
folder() { [ -d "$1" ] || mkdir -p "$1"; }

# copy old|new PATH...: with mode and owner, for the snapshot or to be written over. One program for a folder.
copy() {
	to=$T/$1 from='' these=''
	shift
	for path in "$@" /; do
		if [ -n "$these" ] && [ "${path%/*}" != "$from" ]; then
			folder "$to/$from" && (cd "$R/" && cp -pP $these "$to/$from/") || refuse nospace
			these=
		fi
		from=${path%/*} these="$these $path"
	done
}

# new PATH MODE CONTENT: stages one file; of one that is there owner and mode stay; MODE "-": nothing else.
# MODE "link": a link that leads to CONTENT.
new() {
	folder "$T/new/${1%/*}" || refuse nospace
	[ "$2" != link ] || { ln -s "$3" "$T/new/$1" && return 0 || refuse nospace; }
	printf %s "$3" 2>/dev/null >"$T/new/$1" || refuse nospace
	[ "$2" = - ] || chmod "$2" "$T/new/$1" || refuse nospace
}

keep_snapshot() {
	case $AFTER in gluon*) [ -z "$(others $HAVE)" ] || refuse moved ;; esac
	copy old $HAVE
	listing=$(cd "$R/" && meta $HAVE)
	[ "$(cd "$T/old" && sums $HAVE)" = "$BASE" ] || refuse nospace
	[ "$(cd "$T/old" && meta $HAVE)" = "$listing" ] || refuse nospace
}

# What the snapshot must be put back to: files, paths that were absent, folders that the change makes (deepest first).
write_manifest() {
	dirs=
	for path in $ABSENT; do
		d=${path%/*}
		while [ ! -d "$R/$d" ]; do
			case " $dirs " in *" $d "*) break ;; esac
			dirs="$d $dirs"
			d=${d%/*}
		done
	done
	manifest=$(
		for path in $HAVE; do echo "file $path"; done
		for path in $ABSENT; do echo "absent $path"; done
		for d in $dirs; do echo "dir $d"; done | sort -r
		case $AFTER in gluon*) echo "only etc/config" ;; esac
	)
	release=$(release)
	printf '%s\n' "$manifest" >"$T/manifest"
	printf '%s\n' "$BASE" >"$T/sums"
	printf '%s\n' "$listing" >"$T/meta"
	printf '%s\n' "$release" >"$T/release"
	printf '%s\n' "$AFTER" >"$V/after.$TX"
	[ "$(cd "$T" && cat "$V/after.$TX" manifest sums meta release)" = "$AFTER
$manifest
$BASE
$listing
$release" ] || refuse nospace
}

# put_own FILE TEXT MODE: one of our own files, whole or not at all, written only when it differs.
put_own() {
	[ ! -e "$1" ] || [ "$(cat "$1")" != "$2" ] || { [ "$3" = 755 ] && [ ! -x "$1" ]; } || return 0
	printf '%s\n' "$2" 2>/dev/null >"$T/own" && [ "$(cat "$T/own")" = "$2" ] && chmod "$3" "$T/own" &&
		mkdir -p "${1%/*}" && mv -f "$T/own" "$1" || refuse nospace
}

install_guard() {
	[ -s "$W/format" ] || put_own "$W/format" $FORMAT 600
	put_own "$GUARD" "$SELF" 755
	folder "${LINK%/*}"
	[ "$(readlink "$LINK")" = ../init.d/wifimgr ] || ln -sf ../init.d/wifimgr "$LINK"
	[ -x "$LINK" ] || refuse nospace
}

# In: PUT, DROP: paths to write and to remove; WANT: the sums of PUT; WITHIN, SETTLE, GAP: seconds; FORGET: 1
# when the snapshot holds a secret that must not stay on flash once the change is confirmed; REBOOT: seconds after an
# undo until the router reboots unless somebody logs in, 0 for never; AFTER: lines for take_up; SELF: this script.
arm() {
	keep_snapshot
	[ "$(cd "$T/new" && sums $PUT)" = "$WANT" ] || refuse nospace
	if [ -d "$T/new/etc/config" ]; then # a broken file shows on stderr only: the exit code is 0
		broken=$(uci -c "$T/new/etc/config" show 2>&1 >/dev/null)
		[ -z "$broken" ] || refuse badconf "$broken"
	fi
	write_manifest
	install_guard
	uptime_now
	for path in $DROP; do mkdir -p "$T/gone/${path%/*}" || refuse nospace; done
	mark="$UP $((UP + WITHIN)) $SETTLE $GAP $FORGET"
	printf '%s\n' "$mark" >"$T/mark" && read -r line <"$T/mark" && [ "$line" = "$mark" ] || refuse nospace
	# A sysupgrade inside the window must not make the change permanent by dropping its snapshot. Written last, because
	# only an armed change takes it away again.
	put_own "$KEEP" "/etc/wifimgr/
/etc/init.d/wifimgr
/etc/rc.d/S09wifimgr" 644
	sync
	mv "$T/mark" "$W/pending.$TX"
	sync
	(
		trap '' HUP
		dead_man "$WITHIN"
	) 9>&- </dev/null >/dev/null 2>&1 &
	swap && [ -e "$W/pending.$TX" ] || { undo "$TX" && refuse io || exit 0; }
	say applied
	(
		trap '' HUP
		sleep 1 # the answer leaves first: the reload may cut the connection
		true >"$V/taken.$TX" || exit
		take_up forward
		uptime_now
		echo "$NOW ${FAILED:-end}" >"$V/reloaded.$TX"
		rm -f "$V/reload.$TX"
	) 9>&- </dev/null >/dev/null 2>&1 &
	echo $! >"$V/reload.$TX"
}

# By rename only: once the dead man has taken the change back there is nothing left to rename, however late this goes on.
swap() {
	for path in $PUT; do
		[ -d "$R/${path%/*}" ] || (umask 022 && mkdir -p "$R/${path%/*}") || return 1
		mv -f "$T/new/$path" "$R/$path" || return 1
	done
	for path in $DROP; do mv -f "$R/$path" "$T/gone/$path" || return 1; done
	sync
}

# ---------------------------------------------------------------- from new logins: look, confirm

# Hundredths to wait before a confirm can count: the reload was requested, its effects had SETTLE seconds, and two logins
# over connections of their own lie GAP seconds apart. Sets WAIT; 0 when this login may confirm.
judge() {
	uptime_now
	read -r _ _ settle gap _ <"$W/pending.$TX"
	WAIT=100
	number "$V/reloaded.$TX" && [ "$REST" = end ] || { FAILED=$REST && return 0; }
	settled=$((N + 100 * settle - NOW))
	login=${SSH_CONNECTION:-$PPID}
	if number "$V/login.$TX" && [ "$REST" != "$login" ]; then
		WAIT=$((N + 100 * gap - NOW))
	elif [ -z "$REST" ]; then # the first login; where RAM is full it stays the first one, and nothing is confirmed
		echo "$NOW $login" >"$V/login.$TX"
		[ "$gap" -le 1 ] || WAIT=${gap}00
	fi
	[ "$settled" -le "$WAIT" ] || WAIT=$settled
	[ "$WAIT" -gt 0 ] || WAIT=0
}

# look TX [aside]: where the change stands, and what the router's daemons say of themselves. A look from aside, from a
# place where nobody can log in any more once the change has taken effect, counts for nothing.
look() {
	undo_overdue
	if ! find_state "pending undo confirmed rolledback" "$1"; then
		lock && say state unknown || say state busy # a slow router may still be about to arm it
		return 0
	fi
	WAIT=0 FAILED=
	case $STATE$2 in pending) judge ;; pendingaside) WAIT=100 ;; confirmed*) finish ;; esac
	say state "$STATE" "$WAIT" "$FAILED"
	[ "$STATE" = pending ] || return 0
	[ "$WAIT" -gt 0 ] || listen
}

# What the daemons say: netifd, and hostapd of each network on the air. A daemon that hangs costs two seconds.
listen() {
	ask network.interface dump
	radios=$(ask network.wireless status)
	printf '%s\n' "$radios"
	for name in $(printf '%s\n' "$radios" | sed -n 's/.*"ifname": "\([A-Za-z0-9._-]*\)".*/\1/p'); do
		ask "hostapd.$name" get_status
	done
	probe
}

ask() {
	say ubus "$1"
	ubus -t 2 call "$@" 2>/dev/null
}

# What else there is to try; the sender may put something in its place.
probe() { true; }

# confirm TX: the change stays. Asked again it says the same.
confirm() {
	lock || { say state busy && exit 0; }
	undo_overdue
	find_state "pending undo confirmed rolledback" "$1" || { say state unknown && exit 0; }
	if [ "$STATE" = pending ]; then
		! upgrading || { say state busy && exit 0; } # it has packed up the mark "pending": what it keeps goes back
		judge
		[ "$WAIT" -eq 0 ] || { say state pending "$WAIT" && exit 0; }
		mv "$W/pending.$TX" "$W/confirmed.$TX" || { say state busy && exit 0; }
		STATE=confirmed
	fi
	[ "$STATE" != confirmed ] || finish
	say state "$STATE"
}

# Nobody is told "confirmed" before it is on flash; and what a power cut left of an earlier try is done now.
finish() {
	sync
	for m in "$W"/pending.* "$W"/undo.*; do [ ! -e "$m" ] || return 0; done # another change is open: not now
	for m in "$W"/confirmed.* "$W"/rolledback.* "$W"/rebooted.*; do
		[ "$m" = "$W/confirmed.$TX" ] || rm -rf "$m" "$W/tx.${m##*.}"
	done
	rm -rf "$W/tx.$TX/new" "$W/tx.$TX/gone" "$KEEP" "$V"/*."$TX"
	forget "$W/confirmed.$TX"
	sync
}

# take_back TX: the controller gives up inside the window (a check fails, somebody pressed Ctrl-C).
take_back() {
	lock || { say state busy && exit 0; }
	if find_state "pending undo" "$1"; then
		undo "$TX"
		take_up_soon
	fi
	find_state "undo confirmed rolledback" "$1" || STATE=unknown
	say state "$STATE"
}

# ---------------------------------------------------------------- leaving

# leave: no trace of wifimgr stays; what it has configured does. The lock goes last.
leave() {
	lock || { say nothing busy && exit 0; }
	undo_overdue
	! find_state "pending undo" || { say nothing pending && exit 0; }
	known_format || { say nothing format && exit 0; }
	was=$(ls -d "$W" "$GUARD" "$LINK" "$KEEP" 2>/dev/null)
	rm -rf "$LINK" "$GUARD" "$KEEP" "$W" "$V"
	sync
	[ -z "$(ls -d "$W" "$GUARD" "$LINK" "$KEEP" 2>/dev/null)" ] || { say nothing io && exit 0; }
	rm -f "$R/tmp/wifimgr.lock"
	[ -n "$was" ] && say left || say nothing there
}

# Whoever sends this script has logged in. A loop, because it comes with every call and starts no program for nothing.
somebody_came() {
	for m in "$V"/alone.*; do [ ! -e "$m" ] || rm -f "$m"; done
}

case ${1-} in boot) boot ;; '') somebody_came ;; esac
