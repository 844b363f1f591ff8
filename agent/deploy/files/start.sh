#!/bin/sh
# Starts one agent. Everything comes from the environment:
#
#   SIGHTLINE_QUEUES   names of the queues, the first served first
#   SIGHTLINE_KIND     cpu, gpu or services
#   CLEARML_API_HOST, CLEARML_WEB_HOST, CLEARML_FILES_HOST
#   CLEARML_API_ACCESS_KEY, CLEARML_API_SECRET_KEY, and, where the code needs them,
#   CLEARML_AGENT_GIT_USER, CLEARML_AGENT_GIT_PASS; or each of the four as a file, in NAME_FILE
set -eu

for name in CLEARML_API_ACCESS_KEY CLEARML_API_SECRET_KEY \
    CLEARML_AGENT_GIT_USER CLEARML_AGENT_GIT_PASS; do
    eval "file=\${${name}_FILE:-}"
    if [ -n "$file" ]; then
        value=$(cat "$file")
        export "$name=$value"
    fi
done
for name in SIGHTLINE_QUEUES SIGHTLINE_KIND CLEARML_API_HOST CLEARML_API_ACCESS_KEY \
    CLEARML_API_SECRET_KEY; do
    eval "value=\${$name:-}"
    if [ -z "$value" ]; then
        echo "$name isn't set; see the head of $0" >&2
        exit 64
    fi
done

# shellcheck disable=SC2086 - several queues are several words
set -- --foreground --queue $SIGHTLINE_QUEUES
case $SIGHTLINE_KIND in
services) set -- "$@" --services-mode --cpu-only ;;
cpu) set -- "$@" --cpu-only ;;
gpu) [ -z "${SIGHTLINE_GPUS:-}" ] || set -- "$@" --gpus "$SIGHTLINE_GPUS" ;;
*)
    echo "SIGHTLINE_KIND=$SIGHTLINE_KIND: expected cpu, gpu or services" >&2
    exit 64
    ;;
esac
exec python -m clearml_agent daemon "$@"
