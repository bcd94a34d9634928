#!/bin/sh
# Any other CI, or cron: ci.sh URL-OF-THE-CODE REVISION [BASE]. Clones the code, checks its pins, brings their artifacts and
# runs test.sh; with BASE it writes what changed since to artifacts.md. CACHE is a directory that outlives the run.
# AIMDVC_HOST and AIMDVC_API_KEY are in the environment.
set -eu
cache=${CACHE:-$HOME/.cache/aimdvc-ci}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
start=$PWD

git clone -q "$1" "$work/code"
cd "$work/code"
git checkout -q "$2"

mkdir -p .git/aimdvc "$cache"
cp -R "$cache/." .git/aimdvc/

aimdvc check --remote
aimdvc pull
aimdvc check
if [ $# -gt 2 ]; then
    aimdvc diff --code "$3" HEAD --fetch --format markdown > "$start/artifacts.md"
fi

# Written beside and renamed, so that a run that is cut leaves the old cache.
new=$(mktemp -d "$cache.XXXXXX")
cp -R .git/aimdvc/blobs .git/aimdvc/repos "$new/"
rm -rf "$cache"
mv "$new" "$cache"

./test.sh
