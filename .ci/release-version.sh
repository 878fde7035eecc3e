# Sourced by the publishing scripts. They have write permission, so this is plain bash and needs no package.
export LC_ALL=C

NUMBER='(0|[1-9][0-9]*)'

fail() {
  echo "$*" >&2
  exit 1
}

# need NAME…: fails unless all these variables are set
need() {
  local name
  for name; do
    [ -n "${!name:-}" ] || fail "$name is not set"
  done
}

# Prints the version in VERSION. Reads it as .ci/build-version.ts does.
release_version() {
  local version=${VERSION:-}
  version=${version#v}
  local suffix='[0-9A-Za-z-]+'
  [[ $version =~ ^$NUMBER\.$NUMBER\.$NUMBER(-$suffix(\.$suffix)*)?$ ]] ||
    fail "VERSION is \"${VERSION:-}\": expected one like v1.2.3"
  echo "$version"
}

# released_versions VERSION: prints the released versions, one a line, from the tags of git.
# Fails if tags may be missing, because a published tag must never move back to an older version.
released_versions() {
  local shallow tags
  shallow=$(git rev-parse --is-shallow-repository) || fail "Cannot read the tags of this clone"
  [ "$shallow" = false ] ||
    fail "Cannot tell what has been released: the clone is shallow, and lacks tags (fetch-depth: 0)"
  tags=$(git tag --list 'v*')
  [[ $'\n'$tags$'\n' == *$'\n'"v$1"$'\n'* ]] ||
    fail "Cannot tell what has been released: git has no tag v$1 (fetch-depth: 0)"
  sed 's/^v//' <<<"$tags"
}

# Prints the highest version without a suffix on standard input.
highest() {
  { grep -xE "$NUMBER\.$NUMBER\.$NUMBER" || true; } | sort -t. -k1,1n -k2,2n -k3,3n | tail -n 1
}

# image_tags VERSION, with the released versions on standard input: prints the tags to publish, one a line.
# 1.2.3 also gets the tag 1.2 if that line has no higher patch, and latest if no release is higher. A version with
# a suffix (1.2.3-rc.1) gets only its own tag.
image_tags() {
  local version=$1 line=${1%.*} all
  echo "$version"
  [[ $version == *-* ]] && return
  all=$(cat && echo "$version")
  [ "$(grep -E "^${line/./\\.}\." <<<"$all" | highest)" != "$version" ] || echo "$line"
  [ "$(highest <<<"$all")" != "$version" ] || echo latest
}
