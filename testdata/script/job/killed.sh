# For scripts that kill jobs at random moments: N items each, resumed until the
# job is finished, everything is there exactly once.
torn=0 kills=0
changes() { # changes OPERATION: the ids that it changed, by the gateway's own log
	jq -r --arg of $1 'select(.operationId == $of) | .changed[]?' "$CMSANDBOX_DIR/requests.jsonl"
}
run() { # run JOB OPERATION COMMAND...: killed six times; lost is how many failed
	job=$1 operation=$2; shift 2
	before=$(changes $operation | wc -l)
	"$@" --job $job --yes --max 1000 -o jsonl >out 2>err &
	pid=$!
	j=$CMCTL_STATE_DIR/jobs/$job/journal.jsonl
	for try in 1 2 3 4 5 6; do
		for _ in $(seq 200); do # until the run has begun, then a random while
			[ "$(grep -c '"t":"run"' $j 2>/dev/null)" = $try ] && break
			sleep 0.01
		done
		sleep 0.$((RANDOM % 2))$((RANDOM % 10))
		kill -9 $pid 2>/dev/null
		wait $pid 2>/dev/null
		kills=$((kills + 1))
		sent=$(grep -a '"t":"sent"' $j | jq -r .b 2>/dev/null | sort -u | wc -l)
		answered=$(grep -a '"t":"answered"' $j | jq -r .b 2>/dev/null | sort -u | wc -l)
		[ $sent -gt $answered ] && torn=$((torn + 1))
		cmctl job resume $job -o jsonl >out 2>err &
		pid=$!
	done
	wait $pid
	code=$?
	while [ $code = 7 ]; do
		cmctl job resume $job -o jsonl >out 2>err
		code=$?
	done
	cmctl job show $job -o json >show || exit 1
	changes $operation | sort >changed
	test -z "$(uniq -d changed)" && test $(wc -l <changed) = $((before + N)) || { echo "$job: $(wc -l <changed) changed, not $((before + N)); ended with $code"; cat err; cmctl job report $job; exit 1; }
	test "$(jq -r '.[0].state' show)" = finished || { cat show err; exit 1; }
	lost=$(jq -r '.[0].outcomes.failed // 0' show)
	test $(jq -r '.[0].outcomes.done + (.[0].outcomes.already // 0)' show) = $((N - lost)) || { cat show; exit 1; }
}
told() { # told JOB: those that were lost name the certificate to revoke
	cmctl job report $1 --format json | jq -r '.results[] | select(.outcome == "failed") | .error.message' >messages
	test $(grep -c 'certificate [0-9]* was issued for it' messages) = $lost || { cat messages; exit 1; }
}
torn() { # torn LEAST: so many of the kills must have left a request without its answer
	echo "$torn of $kills runs were killed with a request on its way"
	test $torn -ge $1
}
