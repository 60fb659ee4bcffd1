#!/bin/sh
# Builds the password hash for CPUs with AVX2 and with AVX-512, where it takes half and a third of the prebuilt module's
# time: docker/entrypoint.sh picks. Elsewhere (arm64) there is only the prebuilt.
#   build-argon2.sh <node_modules/argon2> <folder for the builds> <folder with include/node>
set -eu
module=$1 out=$2 headers=$3
[ "$(uname -m)" = x86_64 ] || { mkdir -p "$out"; exit 0; }
gyp=$(dirname "$(readlink -f "$(command -v npm)")")/../node_modules/node-gyp/bin/node-gyp.js
for level in v3 v4; do
  CFLAGS="-O3 -march=x86-64-$level" CXXFLAGS="-O3 -march=x86-64-$level" \
    node "$gyp" rebuild --silent --directory "$module" --nodedir "$headers"
  # The layout in which ARGON2_PREBUILD finds it.
  install -D -m 644 "$module/build/Release/argon2.node" "$out/$level/build/Release/argon2.node"
  strip --strip-unneeded "$out/$level/build/Release/argon2.node"
  rm -rf "$module/build"
done
