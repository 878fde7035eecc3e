#!/usr/bin/env bash
# Publishes the binaries in dist/ as a release of the tag in VERSION. It has write permission, so it runs
# nothing that was built or installed. A version with a suffix (1.2.3-rc.1) becomes a prerelease. A patch of an
# old line does not become the latest release.
#
# Environment: VERSION (a tag), SUMS (see check-binaries.sh), GH_TOKEN for `gh`. Needs a clone with all tags.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/release-version.sh

need GH_TOKEN
version=$(release_version)
released=$(released_versions "$version")
tags=$(image_tags "$version" <<<"$released")
names=$(bash .ci/check-binaries.sh)

flags=(--verify-tag --generate-notes)
[[ $version != *-* ]] || flags+=(--prerelease)
[[ $'\n'$tags$'\n' == *$'\nlatest\n'* ]] && flags+=(--latest=true) || flags+=(--latest=false)
mapfile -t files < <(sed 's|^|dist/|' <<<"$names")
gh release create "v$version" "${flags[@]}" "${files[@]}" dist/SHA256SUMS
