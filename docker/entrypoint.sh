#!/bin/sh
# Picks the argon2 build for this CPU, then becomes the service: SIGTERM reaches node itself.
# A CPU without AVX2, or one that does not say, gets the prebuilt module of the package, which runs everywhere.
app=$(dirname "$(dirname "$(readlink -f "$0")")")

flags=
while IFS=: read -r name value; do
  case $name in flags*) flags=" $value "; break ;; esac
done 2>/dev/null </proc/cpuinfo
has () {
  for flag; do
    case $flags in *" $flag "*) ;; *) return 1 ;; esac
  done
}

# The levels of the x86-64 psABI; a build for a level may use all of its instructions.
if has avx avx2 bmi1 bmi2 f16c fma abm movbe xsave; then
  level=v3
  has avx512f avx512bw avx512cd avx512dq avx512vl && level=v4
fi
build=$app/argon2/${level:-none}
if [ -d "$build" ]; then export ARGON2_PREBUILD="${ARGON2_PREBUILD:-$build}"; else export PREBUILDS_ONLY=1; fi

# A hash takes 19 MB, and glibc would keep as much for each thread that ever made one.
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-1}"
# A young generation that grows to 48 MB is collected in 10 ms, and a request waits for that; in 4 MB it takes one.
exec node --min-semi-space-size=4 --max-semi-space-size=4 "$app/dist/cli/main.js" "$@"
