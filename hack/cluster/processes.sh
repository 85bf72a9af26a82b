# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with the script that sources this
# What both levels share: processes that can be found again. Sourced by cluster.
# A cluster's processes carry CLUSTER_DIR=$DIR in their environment: so they are found even when the pid files
# are gone or name other processes by now.

ours() { # PID: whether it belongs to this cluster
	grep -qzxF "CLUSTER_DIR=$DIR" "/proc/$1/environ" 2>/dev/null
}
processes() { # all of this cluster
	grep -lzxF "CLUSTER_DIR=$DIR" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3 || true
}
pid_of() { # PART
	cat "$DIR/run/$1.pid" 2>/dev/null
}
alive() { # PART
	local pid
	pid=$(pid_of "$1") && ours "$pid"
}

start() { # PART: unless it runs
	if alive "$1"; then return; fi
	local -a cmd
	command_of "$1"
	spawn "$1" "${cmd[@]}" </dev/null >>"$DIR/log/$1.log" 2>&1
}
stop() { # PART: the API server waits up to a minute for its watchers, we do not
	alive "$1" || return 0
	local pid
	pid=$(pid_of "$1")
	kill -TERM "$pid" 2>/dev/null || true
	for _ in {1..100}; do
		alive "$1" || return 0
		sleep 0.1
	done
	kill -KILL "$pid" 2>/dev/null || true
	while alive "$1"; do sleep 0.1; done
}
await() { # SECONDS PART CMD...: until CMD succeeds
	local end=$((SECONDS + $1)) part=$2 output
	shift 2
	until output=$("$@" 2>&1); do
		if ! alive "$part" || [ $SECONDS -ge $end ]; then give_up "$part" "$output"; fi
		sleep 0.1
	done
	say "$part ready"
}
give_up() { # PART [ANSWER]: with its last words
	printf '%s\n' "--- last lines of $DIR/log/$1.log" "$(tail -n 20 "$DIR/log/$1.log")" ${2:+"--- last answer: $2"} >&2
	if alive "$1"; then die "$1 did not get ready in time (its log is above)"; fi
	die "$1 ended at its start (its log is above)"
}
check_parts() { # those that nothing was awaited of
	local part
	for part in "${PARTS[@]}"; do alive "$part" || give_up "$part"; done
}

kube_ctl() { # ARGS...: kubectl as the administrator, without the user's own settings and cache
	KUBECONFIG=$DIR/pki/admin.kubeconfig KUBECACHEDIR=$DIR/run/kubectl KUBERC=off "$PROGRAMS/kube" kubectl "$@"
}
api_ready() { kube_ctl get --raw /readyz --request-timeout 2s; }
