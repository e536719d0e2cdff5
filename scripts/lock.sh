#!/bin/sh
# Write requirements/{dev,jax,run}.txt: exact versions with hashes, valid on Python 3.11 to 3.13.
# The small files take their versions from the big one, so that all three agree.
# Extras stay in it: some versions of pip take `coverage[toml]` as unpinned beside `coverage==7`.
# setuptools is listed because asg itself is installed with it, without a build environment.
set -eu
cd "$(dirname "$0")/.."

lock() {
    output=requirements/$1.txt
    shift
    echo 'setuptools>=77' | uv pip compile --quiet --universal --python-version 3.11 \
        --fork-strategy fewest --generate-hashes --no-annotate --no-emit-index-url \
        --no-emit-find-links --no-strip-extras --custom-compile-command 'make lock' \
        pyproject.toml - --output-file "$output" "$@"
}

lock dev --extra dev --upgrade
lock jax --extra data --extra viz --extra jax --upgrade --constraints requirements/dev.txt
lock run --extra data --extra viz --upgrade --constraints requirements/dev.txt
