#!/bin/bash
# Postrider as a bench peer.  Verbs: setup start stop wipe qcount list version.
# The environment is that of the bench's peer contract; besides it,
# POSTRIDER_PROGRAM names the program (else the build of this tree, else PATH).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=${POSTRIDER_PROGRAM:-}
[ -n "$program" ] || program=$here/../../../build/postrider
[ -x "$program" ] || program=$(command -v postrider)
run=${BENCH_RUN:-}
conf=$run/postrider.conf

routes() {
	local i
	for ((i = 1; i <= 200; i++)); do
		echo "send mail for d$i.test through 127.0.1.$i:$SINK_PORT with tls never"
	done
	echo "send mail through 127.0.0.1:$SINK_PORT with tls never"
}

config() {
	cat <<TEXT
hostname bench.test
listen smtp on 127.0.0.1:$BENCH_PORT
relay for 127.0.0.0/8
spool $run/spool
control socket $run/control
ask dns at 127.0.0.1:9
refuse null mx senders no
limits {
	sessions $((${BENCH_CONNS:-1000} + 1000))
	sessions per host 1000000
	sessions per network 1000000
	connection rate per host unlimited
	connection rate per network unlimited
	messages per session unlimited
	commands per session unlimited
	session timeout 1 d
	command timeout 1 h
}
TEXT
	if [ -n "${BENCH_CERT:-}" ]; then
		echo "certificate $BENCH_CERT key $BENCH_KEY"
	fi
	case $BENCH_MODE in
	hold) echo "hold all mail" ;;
	relay | dead) routes ;;
	*) echo "peer.sh: no mode $BENCH_MODE" >&2; exit 1 ;;
	esac
	# Shipped defaults otherwise; what Postfix's tuned.cf raises is raised here too.
	if [ "$BENCH_TUNE" = tuned ]; then
		echo "queue { connections per destination 50; connections at first 50 }"
	fi
}

is_up() {
	(exec 3<>"/dev/tcp/127.0.0.1/$BENCH_PORT") 2>/dev/null
}

case $1 in
version) "$program" version ;;
setup)
	config >"$conf"
	"$program" config check --config "$conf" >/dev/null
	;;
start)
	if [ -n "${BENCH_PRELOAD:-}" ]; then
		export LD_PRELOAD=$BENCH_PRELOAD SLOWSYNC_MS
	fi
	setsid "$program" serve --config "$conf" </dev/null >>"$run/log" 2>&1 &
	pid=$!
	unset LD_PRELOAD
	echo "$pid" >"$run/pid"
	for ((i = 0; i < 600; i++)); do
		is_up && exit 0
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.05
	done
	tail -n 20 "$run/log" >&2
	exit 1
	;;
stop)
	pid=$(cat "$run/pid")
	kill "$pid" 2>/dev/null || exit 0
	for ((i = 0; i < 200; i++)); do
		kill -0 "$pid" 2>/dev/null || exit 0
		sleep 0.05
	done
	kill -9 "$pid"
	;;
wipe) find "$run/spool" -mindepth 1 -delete ;;
qcount) "$program" queue list --json --config "$conf" | grep -o '"id"' | wc -l ;;
list) "$program" queue list --config "$conf" ;;
*) echo "peer.sh: no verb $1" >&2; exit 64 ;;
esac
