#!/bin/sh
# Makes what is missing in secrets/ and leaves what is there. Keep the key-encryption key safe, and apart from the database's backups.
set -eu
cd "$(dirname "$0")"
# The folder is closed to others; the files in it are read by the service's account inside the containers, which owns none of them.
mkdir -p -m 700 "${SECRETS:=secrets}"
umask 022

random() { head -c "$1" /dev/urandom | base64 | tr -d '\n'; }
make() { # make NAME: from standard input, unless it is there
  if [ ! -e "$SECRETS/$1" ]; then cat >"$SECRETS/$1.new" && mv "$SECRETS/$1.new" "$SECRETS/$1" && echo "made $SECRETS/$1"; fi
}

random 24 | tr '+/' '-_' | make postgres_password
printf 'postgresql://stateless_auth:%s@postgres:5432/stateless_auth' "$(cat "$SECRETS/postgres_password")" | make database_url
printf 'k1:%s' "$(random 32)" | make key_encryption_key
printf 'smtp://mailpit:1025' | make mail_url
