#!/usr/bin/env bash
# Pushes dist/image.tar to the repository's registry, unchanged, and signs it by digest. It has write permission,
# so it runs nothing that was built or installed. Needs docker, skopeo and cosign, and a clone with all tags.
#
# Environment: VERSION (a tag), DIGEST (the image's digest, as the build job reported it), REPOSITORY
# (owner/name), REGISTRY_USER and REGISTRY_TOKEN.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/release-version.sh

ARCHIVE=dist/image.tar
REGISTRY=ghcr.io

# The archive must hold exactly one image, the one that was built. skopeo checks the digests of its parts as it
# copies them.
check_archive() {
  [[ $DIGEST =~ ^sha256:[0-9a-f]{64}$ ]] || fail "DIGEST is \"$DIGEST\": expected one like sha256:0123…"
  local held bytes
  held=$(tar --extract --to-stdout --file "$ARCHIVE" index.json | jq -r '.manifests[].digest')
  [ "$held" = "$DIGEST" ] || fail "$ARCHIVE holds \"$held\", not $DIGEST, which was built"
  bytes=$(tar --extract --to-stdout --file "$ARCHIVE" "blobs/sha256/${DIGEST#sha256:}" | sha256sum)
  [ "sha256:${bytes%% *}" = "$DIGEST" ] || fail "$ARCHIVE holds other bytes under $DIGEST"
}

# push TAG
push() {
  local pushed
  skopeo copy --all --preserve-digests --retry-times 3 "oci-archive:$ARCHIVE" "docker://$image:$1"
  pushed=$(skopeo inspect --raw "docker://$image:$1" | sha256sum)
  [ "sha256:${pushed%% *}" = "$DIGEST" ] || fail "$image:$1 is sha256:${pushed%% *}, not $DIGEST"
}

need DIGEST REPOSITORY REGISTRY_USER REGISTRY_TOKEN
version=$(release_version)
released=$(released_versions "$version")
tags=$(image_tags "$version" <<<"$released")
check_archive

image=$REGISTRY/${REPOSITORY,,}
docker login "$REGISTRY" --username "$REGISTRY_USER" --password-stdin <<<"$REGISTRY_TOKEN"
# Sign before moving the other tags, so that everyone who pulls them finds the signature.
push "$version"
cosign sign --yes "$image@$DIGEST"
for tag in $tags; do
  [ "$tag" = "$version" ] || push "$tag"
done
