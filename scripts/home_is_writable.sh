#!/bin/sh
# Succeeds when caches can live in the user's home, where pip, uv and matplotlib keep them.
cache=${XDG_CACHE_HOME:-${HOME:-}/.cache}
[ "$cache" != /.cache ] && mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ]
