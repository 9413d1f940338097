# For scripts that run each write as a job of N items and account for them.
#
# Which fault is met with which write, and where. "All" are the ten in $writes:
#
#   connection reset before and after   all: faults_each; at length faults, faults_import, _issue, _keyed, _reg
#   busy (-40), 503, before and after   all: faults_each; at length as above
#   HTML, cut off, garbage              all: faults_each; at length as above
#   slower than the timeout             all: faults_each
#   maxparams                           revoke: faults; import: faults_import. hold and reinstate send the same fields;
#                                       the others a handful, one item in a request: no container drops any
#   clock years off, both ways          all: faults_each, whoever signs; in the middle of a list: faults_gateway
#   gateway killed, back on its store   all: faults_gone; at length faults_gateway
#   kill -9                             all: single, when the request was carried out. At random: revoke: kill; import,
#                                       issue, issue-p12, create: kill_more; issue-attr, issue-skip, update: kill_made.
#                                       hold and reinstate are the same code as revoke
#   wrong PIN, card pulled              all: faults_key
#   no room for the journal             all: faults_gone; at length faults_disk
#   a bad item in each batch            revoke, hold, reinstate, import, update: faults_gone. What is issued and
#                                       created has no item that the gateway could miss
#   half of ten thousand done already   revoke: faults_more; one in each batch: faults_gone
#   journal, list of another gateway    any job: resume; any list of certificates: faults_more
changes() { # changes OPERATION: the ids that it changed, by the gateway's own log
	jq -r --arg of $1 'select(.operationId == $of) | .changed[]?' "$CMSANDBOX_DIR/requests.jsonl"
}
named() { # named JOB: what came of each item, by its id; of one whose key was lost the message names it
	cmctl job report $1 --format json | jq -r '.results[] | .id // (if .outcome == "failed" then .error.message | capture("(certificate|package) (?<id>[0-9]+)").id else .item end)' | sort
}

writes='revoke hold reinstate import issue issue-p12 issue-attr issue-skip create update'
operations='revokeCertificate reinstateCertificate importPKIX509 issueCertificatePkcs10 issueCertificatePkcs10ToPkcs12 issueCertificatePkcs10ToAttrCert secureKeyInjectionPackage createRegistrationScep updateRegistration'
everywhere() { # everywhere WHEN:WHAT:WHICH...: the faults, for each operation that writes
	for at in "$@"; do for o in $operations; do echo "--fault $o:$at"; done; done
}
inputs() { # what the writes need and no gateway has a part in
	mkdir certs
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -out ca.pem -subj "/C=SE/O=Elsewhere/CN=Foreign CA" 2>/dev/null
	openssl req -new -key k.pem -out foreign.csr -subj "/O=Elsewhere/CN=foreign" || return 1
	for i in $(seq $N); do
		openssl x509 -req -in foreign.csr -CA ca.pem -CAkey k.pem -set_serial $((1000 + i)) -days 90 -out certs/$i.pem 2>/dev/null || return 1
	done
	for write in issue issue-p12 issue-attr issue-skip; do # what comes of one is not to be taken for what comes of another
		mkdir -p csr/$write
		for i in $(seq $N); do
			openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -out csr/$write/d$i.csr -subj "/O=Demo/CN=$write $i" 2>/dev/null || return 1
		done
	done
	{ echo 'fqdn,password'; for i in $(seq $N); do echo "r$i.example.com,canary-$i-word"; done; } >list.csv
}
begin() { # a folder for each write, with what it needs of this gateway (--certs 400)
	rm -rf work; mkdir work
	for write in $writes; do mkdir -p work/$write/out; done
	cmctl cert search --not-revoked -o id | awk '$1 > 10003' | head -n $((2 * N)) >work/ids
	head -n $N work/ids >work/revoke/ids
	tail -n $N work/ids >work/hold/ids
	cmctl cert search --reason certificateHold -o id | awk '$1 > 10000' | head -n $N >work/reinstate/ids
	{ echo fqdn; seq -f u%g.example.com $N; } >work/update/list.csv
	(cd work/update; cmctl reg create p-scep --type device --from list.csv --yes -o jsonl >created && { echo regid,status; jq -r '.regid + ",closed"' created; } >change.csv) || return 1
}
use() { # use WRITE: its command, with $batch items a request, and its operation
	files=
	case $1 in
	revoke) operation=revokeCertificate; command=(cert revoke --from ids --reason superseded --batch ${batch-2}) ;;
	hold) operation=revokeCertificate; command=(cert hold --from ids --batch ${batch-2}) ;;
	reinstate) operation=reinstateCertificate; command=(cert reinstate --from ids --batch ${batch-2}) ;;
	import) operation=importPKIX509; command=(cert import ../../certs --procedure p-import --batch ${batch-2}) ;;
	issue) files=yes operation=issueCertificatePkcs10; command=(cert issue ../../csr/$1/*.csr --out-dir out) ;;
	issue-p12) files=yes operation=issueCertificatePkcs10ToPkcs12; command=(cert issue-p12 ../../csr/$1/*.csr --generate-password made.pw --out-dir out) ;;
	issue-attr) files=yes operation=issueCertificatePkcs10ToAttrCert; command=(cert issue-attr 10003 ../../csr/$1/*.csr --out-dir out) ;;
	issue-skip) files=yes operation=secureKeyInjectionPackage; command=(cert issue-skip ../../csr/$1/*.csr --out-dir out) ;;
	create) operation=createRegistrationScep; command=(reg create p-scep --type scep --from ../../list.csv) ;;
	update) operation=updateRegistration; command=(reg update p-scep --from change.csv) ;;
	esac
}
first() { # first WRITE FLAG...: its first run; code is how it ended. It goes into the folder of the write
	cd work/$1 || exit 1
	use $1
	write=$1; shift
	n=0
	cmctl "${command[@]}" --yes --max 1000 --job $write -o jsonl "$@" >out.0 2>err.0
	code=$?
}
finish() { # finish FLAG...: resume it until it does not end 7
	while [ $code = 7 ] || [ $n = 0 -a "${1-}" = resume ]; do
		n=$((n + 1)); [ $n -le 12 ] || { echo "$write: never ends"; tail -n 2 err.*; exit 1; }
		cmctl job resume $write -o jsonl >out.$n 2>err.$n
		code=$?
	done
	[ $code = 0 -o $code = 3 ] || { echo "$write: run $n ended with $code"; cat err.$n; exit 1; }
}
account() { # account: every item of the finished job, once in the gateway's own log
	cmctl job show $write -o json >show
	lost=$(jq -r '.[0].outcomes.failed // 0' show)
	test "$(jq -r '.[0] | [.state, .outcomes.done] | map(tostring) | join(" ")' show)" = "finished $((N - lost))" || { cat show; exit 1; }
	for i in $(seq 100); do # a slow answer is noted when it has gone out
		changes $operation | sort >changed
		case $write in revoke | hold) sort ids | comm -12 - changed >mine; mv mine changed ;; esac
		[ $(wc -l <changed) -ge $N ] && break
		sleep 0.1
	done
	test -z "$(uniq -d changed)" && test $(wc -l <changed) = $N || { echo "$write: $(wc -l <changed) changed, not $N:"; cat changed; cmctl job report $write; exit 1; }
	named $write | cmp - changed || { echo "$write:"; cmctl job report $write; cat changed; exit 1; }
	[ $lost = 0 ] || case $write in issue-p12 | issue-skip) ;; *) echo "$write: $lost failed"; cat err.*; exit 1 ;; esac
	[ -z "$files" ] || test $(ls -A out | wc -l) = $((N - lost)) || { echo "$write: files"; ls -A out; exit 1; }
}
all() { # all COMMAND...: for each write at the same time; fails when one does
	for write in $writes; do
		("$@" $write) >said.$write 2>&1 &
		eval "pid_${write//-/_}=\$!"
	done
	failed=
	for write in $writes; do
		eval "wait \$pid_${write//-/_}" || { failed=yes; echo "$write:"; cat said.$write; }
	done
	[ -z "$failed" ]
}
