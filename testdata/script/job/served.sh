# For scripts that start, stop and kill a gateway of their own, each time on the
# store of the one before.
gateway= addr=127.0.0.1:$((20000 + RANDOM % 10000))
export CMCTL_CONFIG=$PWD/store/config.yaml CMCTL_STATE_DIR=$PWD/state CMSANDBOX_DIR=$PWD/store

# serve FLAG...: starts it and waits until it answers. Its pid is in $gateway.
serve() {
	cmctl-sandbox serve --addr $addr --dir store "$@" >log 2>&1 &
	gateway=$!
	for _ in $(seq 300); do
		[ -s store/url ] && cmctl proc list -o id >/dev/null 2>&1 && return
		kill -0 $gateway 2>/dev/null || break
		sleep 0.1
	done
	cat log
	exit 1
}

# The suite looks through the folder as soon as the script has ended: the gateway
# has let go of its store by then.
trap 'kill $gateway 2>/dev/null; wait $gateway 2>/dev/null' EXIT
