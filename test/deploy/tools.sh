#!/usr/bin/env bash
# What the tests of deploy/ run: Helm and kubeconform, built from their modules; the reader of compose files beside this file; the schemas of Kubernetes from the
# package kubernetes-validate, those of Prometheus' operator from the npm package of its models. Each once, in .data/deploy-tools/.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=$PWD/.data/deploy-tools
mkdir -p "$tools"
# Go's own toolchain, and no other that a module might ask to be downloaded.
export GOTOOLCHAIN=local GOBIN=$tools

# name, package, version
install() {
  [[ -e $tools/$1-$3 ]] && return
  go install "$2@$3" && mv "$tools/$1" "$tools/$1-$3" && ln -sf "$1-$3" "$tools/$1"
}
command -v go >/dev/null || { echo 'Go is missing: Helm and kubeconform are built with it.'; exit 1; }
install helm helm.sh/helm/v4/cmd/helm v4.3.1
install kubeconform github.com/yannh/kubeconform/cmd/kubeconform v0.8.0
(cd test/deploy/compose-model && go build -o "$tools/compose-model" .)

# The oldest Kubernetes that the chart says it runs on, and the newest known. In the package the definitions are found by their address in the network, here by their file.
if [[ ! -e $tools/schemas/v1.37.0-strict ]]; then
  wheel=$(mktemp -d)
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --dest "$wheel" --requirement test/deploy/requirements.txt
  python3 - "$wheel"/*.whl "$tools/schemas" <<'PYTHON'
import json, pathlib, sys, zipfile
wheel, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for version in ('v1.30', 'v1.37'):
        prefix = f'kubernetes_validate/kubernetes-json-schema/{version}.0-local-strict/'
        names = [name for name in archive.namelist() if name.startswith(prefix)]
        assert names, version
        folder = pathlib.Path(target, f'{version}.0-strict')
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            schema = json.loads(archive.read(name).decode().replace('"/api/_definitions.json', '"_definitions.json'))
            schema.pop('$id', None)
            (folder / name.removeprefix(prefix)).write_text(json.dumps(schema))
PYTHON
  rm -rf "$wheel"
fi

if ! cmp -s test/deploy/package-lock.json "$tools/models/package-lock.json"; then
  mkdir -p "$tools/models"
  cp test/deploy/package.json "$tools/models/"
  (cd "$tools/models" && cp "$OLDPWD/test/deploy/package-lock.json" . && npm ci --ignore-scripts --no-audit --no-fund --silent) || { rm -f "$tools/models/package-lock.json"; exit 1; }
fi
