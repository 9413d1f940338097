# For scripts that kill jobs at random moments: N items each, resumed until the
# job is finished, everything is there exactly once.
. $ROOT/testdata/script/job/jobs.sh
torn=0 kills=0
batches() { # batches STEP: those that came to it, by the journal
	grep -a "\"t\":\"$1\"" $j | jq -r .b 2>/dev/null | sort -u
}
run() { # run JOB OPERATION COMMAND...: killed six times; lost is how many failed
	job=$1 operation=$2; shift 2
	before=$(changes $operation | wc -l)
	"$@" --job $job --yes --max 1000 -o jsonl >out 2>err &
	pid=$!
	j=$CMCTL_STATE_DIR/jobs/$job/journal.jsonl
	sent=0
	for try in 1 2 3 4 5 6; do # at first when the run has begun, then when it has sent something, and so on; and a random while
		until=run least=$try pause=0.$((RANDOM % 2))$((RANDOM % 10))
		[ $((try % 2)) = 1 ] || until=sent least=$((sent + 1)) pause=0.0$((RANDOM % 4))
		for _ in $(seq 300); do
			[ "$(grep -ac "\"t\":\"$until\"" $j 2>/dev/null)" -ge $least ] 2>/dev/null && break
			kill -0 $pid 2>/dev/null || break
			sleep 0.01
		done
		sleep $pause
		kill -9 $pid 2>/dev/null
		wait $pid 2>/dev/null
		kills=$((kills + 1))
		sent=$(grep -ac '"t":"sent"' $j)
		[ -n "$(comm -23 <(batches sent) <(batches answered))" ] && torn=$((torn + 1))
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
torn() { # torn LEAST: so many of the kills must have left a request without its answer
	echo "$torn of $kills runs were killed with a request on its way"
	test $torn -ge $1
}
