#!/usr/bin/env bash
# Builds the image and holds it to what it promises: size, what is in it, who it runs as, and that it works.
#
#   scripts/image-check.sh [--no-build]        from the project's root, as root
#
# IMAGE_TOOLS is the folder with build-image.sh and run-image.sh (default ../shared/tools), IMAGE_MB the size allowed
# over the base image. Ends non-zero at the first broken promise.
set -euo pipefail
export PATH=$PWD/node_modules/.bin:$PATH
export IMAGE_TOOLS=${IMAGE_TOOLS:-../shared/tools}
tag=stateless-auth:ci
log=$(mktemp)
trap 'rm -f "$log"' EXIT

if [[ ${1:-} != --no-build ]]; then
  "$IMAGE_TOOLS/build-image.sh" "$tag" >"$log" 2>&1 || { tail -n 40 "$log"; echo 'image check: the build failed'; exit 1; }
  size=$(sed -nE 's/^image .* the project ([0-9]+) MB$/\1/p' "$log")
  [[ -n $size ]] || { tail -n 5 "$log"; echo 'image check: build-image.sh printed no size'; exit 1; }
  echo "size over the base image  $size MB"
  ((size <= ${IMAGE_MB:-70})) || { echo "image check: more than ${IMAGE_MB:-70} MB over the base image"; exit 1; }
fi
node scripts/ready.mjs
node scripts/image-check.ts "$tag"
