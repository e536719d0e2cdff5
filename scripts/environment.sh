#!/bin/sh
# Make .venv ready for one purpose: sh scripts/environment.sh run|jax|dev
#   run  train on NumPy and draw      jax  the same, and JAX      dev  everything, and the tests
# Installs exactly the versions of requirements/PURPOSE.txt, then asg itself in editable form.
# PYTHON and INSTALLER are explained in the Makefile.
set -eu
cd "$(dirname "$0")/.."
purpose=$1

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }

# Running it is the only proof: a pyenv shim exists, yet fails, for versions that are not chosen.
supported() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        supported "$PYTHON" || fail "PYTHON=$PYTHON does not run, or is not Python 3.11 to 3.13"
        echo "$PYTHON"
        return
    fi
    for candidate in python3.13 python3.12 python3.11 python3 python; do
        if supported "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "no Python 3.11, 3.12 or 3.13 found; install one, or name it: make PYTHON=/path/to/python"
}

# What any python of an environment was made from, so that .venv is never built out of itself.
base_of() { "$1" -c 'import sys; print(sys._base_executable)'; }
version_of() { "$1" -c 'import sys; print(*sys.version_info[:2], sep=".")' 2>/dev/null; }

# An environment that fits is kept; without PYTHON any supported version fits.
environment_fits() {
    supported .venv/bin/python || return 1
    [ -z "${PYTHON:-}" ] || [ "$(version_of .venv/bin/python)" = "$(version_of "$PYTHON")" ]
}

create_with_uv() { uv venv --quiet --clear --python "$1" .venv; }
create_with_pip() {
    "$1" -m venv --clear .venv || fail "$1 cannot make environments; on Debian and Ubuntu:" \
        "apt install python$(version_of "$1")-venv"
}

install_with_uv() {
    uv pip install --quiet --python .venv/bin/python "$@"
}
install_with_pip() {
    .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null
    PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip install --quiet "$@"
}

make_ready_with() {
    say "once, with $1: Python $(version_of "$python") and requirements/$purpose.txt into .venv"
    { environment_fits || "create_with_$1" "$python"; } &&
        rm -f .venv/ready-* &&
        "install_with_$1" --require-hashes -r "requirements/$purpose.txt" &&
        "install_with_$1" --no-deps --no-build-isolation -e .
}

# Each purpose holds the ones before it.
mark_ready() {
    touch .venv/ready-run
    [ "$purpose" = run ] || touch .venv/ready-jax
    [ "$purpose" != dev ] || touch .venv/ready-dev
}

if environment_fits; then
    python=.venv/bin/python
else
    python=$(find_python)
fi
python=$(base_of "$python")

case ${INSTALLER:-} in
    uv | pip) make_ready_with "$INSTALLER" ;;
    "")
        if ! command -v uv >/dev/null; then
            make_ready_with pip
        elif ! make_ready_with uv; then
            say "uv failed (see above); once more with pip, which has its own index settings"
            make_ready_with pip
        fi
        ;;
    *) fail "INSTALLER=$INSTALLER: expected uv or pip" ;;
esac
mark_ready
