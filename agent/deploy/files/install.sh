#!/bin/sh
# Makes a Python environment with exactly the packages of a lock file.
#
#   sh install.sh ENVIRONMENT LOCK
#
# Used by the images, and by hand on machines without containers.
set -eu
environment=$1
lock=$2

python3 -m venv "$environment"
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check uv==@UV_VERSION@
# --require-hashes refuses a file that isn't the one that was locked, and a package left out.
"$environment/bin/uv" pip install --quiet --no-cache --compile-bytecode \
    --python "$environment/bin/python" --require-hashes -r "$lock"
"$environment/bin/python" -m clearml_agent --version
