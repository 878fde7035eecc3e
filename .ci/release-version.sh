# To be sourced by what publishes, which runs with the right to write: so it is bash alone, and needs no package.
export LC_ALL=C

NUMBER='(0|[1-9][0-9]*)'

fail() {
  echo "$*" >&2
  exit 1
}

# need NAME…: these variables must be set
need() {
  local name
  for name; do
    [ -n "${!name:-}" ] || fail "$name is not set"
  done
}

# The version that VERSION names, as .ci/build-version.ts reads it.
release_version() {
  local version=${VERSION:-}
  version=${version#v}
  local suffix='[0-9A-Za-z-]+'
  [[ $version =~ ^$NUMBER\.$NUMBER\.$NUMBER(-$suffix(\.$suffix)*)?$ ]] ||
    fail "VERSION is \"${VERSION:-}\": expected one like v1.2.3"
  echo "$version"
}

# released_versions VERSION: one a line, from the tags of git.
# Fails where tags may be missing: what is published must never move back.
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

# The highest of the versions on standard input that have no suffix.
highest() {
  { grep -xE "$NUMBER\.$NUMBER\.$NUMBER" || true; } | sort -t. -k1,1n -k2,2n -k3,3n | tail -n 1
}

# image_tags VERSION, with what has been released on standard input: under which tags it is published, one
# a line. 1.2.3 is also 1.2 if no patch of that line is higher, and latest if nothing is; a version with a
# suffix (1.2.3-rc.1) is itself alone.
image_tags() {
  local version=$1 line=${1%.*} all
  echo "$version"
  [[ $version == *-* ]] && return
  all=$(cat && echo "$version")
  [ "$(grep -E "^${line/./\\.}\." <<<"$all" | highest)" != "$version" ] || echo "$line"
  [ "$(highest <<<"$all")" != "$version" ] || echo latest
}
