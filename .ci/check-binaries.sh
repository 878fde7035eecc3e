#!/usr/bin/env bash
# Checks that the binaries in dist/ are the ones that the build job made. Prints their names, one a line.
#
# Environment: SUMS, the SHA-256 of SHA256SUMS, as the build job reported it. It comes another way than the files.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/release-version.sh

need SUMS
cd dist
[ "$(sha256sum <SHA256SUMS)" = "$SUMS  -" ] || fail "SHA256SUMS is not the one that was built"
name='lw-inference-proxy-linux-[0-9a-z-]+'
! grep -vqxE "[0-9a-f]{64}  $name" SHA256SUMS || fail "SHA256SUMS names a file that is no binary of a release"
sha256sum --check --strict --quiet SHA256SUMS >&2
cut -d ' ' -f 3 SHA256SUMS
