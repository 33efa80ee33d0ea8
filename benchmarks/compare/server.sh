#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Measures what clients of `serve` see beside those of llama.cpp's llama-server: the time to the first token and between
# tokens, with 1, 4 and 16 clients. Prints JSON.
#
#   server.sh -m MODEL [-t THREADS] [-c CONTEXT] SERVER_LOAD SERVE LLAMA_SERVER [rounds=N] [tokens=N] [words=N]
set -eu

threads=$(nproc) context=1024 model='' slots=16
while getopts m:t:c: flag; do
    case $flag in
        m) model=$OPTARG ;;
        t) threads=$OPTARG ;;
        c) context=$OPTARG ;;
        *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
if [ -z "$model" ] || [ $# -lt 3 ]; then
    sed -n 's/^#  *server.sh/usage: server.sh/p' "$0" >&2
    exit 2
fi
load=$1 serve=$2 peer=$3
shift 3

ours=18181 theirs=18182
"$serve" -m "$model" -t "$threads" -c "$context" --parallel $slots --port $ours --log none >/dev/null &
started=$!
trap 'kill $started' EXIT
trap 'exit 1' INT TERM
"$peer" -m "$model" -t "$threads" -c $((slots * context)) --parallel $slots --port $theirs --log-disable >/dev/null 2>&1 &
started="$started $!"
for port in $ours $theirs; do
    tries=0
    until curl --silent --fail --output /dev/null "http://127.0.0.1:$port/health"; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || { echo "server.sh: no server at port $port" >&2; exit 1; }
        sleep 0.1
    done
done

printf '{"date": "%s",\n' "$(date -u +%Y-%m-%d)"
printf ' "machine": "%s, %s processors",\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)"
printf ' "load_average": "%s",\n' "$(cut -d ' ' -f 1-3 /proc/loadavg)"
printf ' "model": "%s", "threads": %s, "slots": %s, "context": %s,\n' "${model##*/}" "$threads" $slots "$context"
printf ' "serve": "%s",\n' "$(git -C "$(dirname "$0")" describe --always --dirty)"
printf ' "llama-server": "%s",\n "load": ' "$("$peer" --version 2>&1 | sed -n 's/^version: //p')"
"$load" serve=$ours llama-server=$theirs "$@"
echo '}'
