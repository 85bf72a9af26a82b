#!/bin/bash
# As the official image's: options alone are Envoy's, root becomes the user 101, any other user stays.
set -euo pipefail
[[ ${1:-} != -* ]] || set -- envoy "$@"
[[ ${1:-} != envoy || -z ${loglevel:-} ]] || set -- "$@" --log-level "$loglevel"
[[ $(id -u) != 0 || ${ENVOY_UID:-101} = 0 ]] ||
	exec setpriv --reuid="${ENVOY_UID:-101}" --regid="${ENVOY_GID:-101}" --clear-groups "$@"
exec "$@"
