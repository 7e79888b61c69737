#!/usr/bin/env bash
# A consistent copy of a data folder, while its server runs or not; and back.
#
#   deploy/backup.sh DATA_DIR BACKUP_DIR             BACKUP_DIR must not exist yet
#   deploy/backup.sh --restore BACKUP_DIR DATA_DIR   DATA_DIR must not exist yet
#
# Run it as the user who owns the data folder. Needs sqlite3. Not in the copy: the feature cache (features/), which is
# computed again where a job needs it, and locks.
#
# Why this order is right: files are written before the row that names them, and removed after it. So the database is
# copied as it was at one moment (VACUUM INTO reads one snapshot and holds nobody up), then the files: all that it names
# are there, and more, which the next start removes or leaves alone. Models are copied before it, too, since one that is
# deleted meanwhile takes its files with it.
set -euo pipefail
shopt -s inherit_errexit  # a query that fails inside $(...) ends the script, too

fail() {
  echo "backup: $*" >&2
  exit 1
}

[ $# = 3 ] && [ "$1" = --restore ] && restore=yes && shift || restore=no
[ $# = 2 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
from=$(realpath "$1")
to=$2
[ -f "$from/graft.db" ] || fail "$from has no graft.db: it is no data folder of Graft, and no backup of one"
[ ! -e "$to" ] || fail "$to exists already; name a folder that does not"
command -v sqlite3 >/dev/null || fail "sqlite3 is not installed: apt-get install sqlite3"
umask 077

query() { sqlite3 -cmd '.timeout 30000' "$1" "$2" || fail "sqlite3 on $1 failed at: $2"; }

# Copies folders that are there, the newer files of those that were copied before. Again where it failed, since the server
# may have deleted a version or renamed a checkpoint while cp walked the folder.
copy_folders() {
  local folder attempt
  for folder in "$@"; do
    [ -d "$from/$folder" ] || continue
    for attempt in 1 2 3 4 5; do
      cp --archive --update "$from/$folder" "$to.part/" 2>"$to.part.errors" && break
      [ "$attempt" -lt 5 ] || fail "cannot copy $folder: $(sed -n 1,5p "$to.part.errors")"
    done
  done
}

# Every file that the copied database names is there.
check() {
  local missing
  [ "$(query "$to.part/graft.db" 'PRAGMA integrity_check')" = ok ] || fail "the copy of the database is damaged"
  missing=$({ query "$to.part/graft.db" "SELECT 'models/' || folder || '/head.safetensors' FROM model_versions"
              query "$to.part/graft.db" "SELECT 'models/' || folder || '/backbone.safetensors' FROM model_versions
                                         WHERE backbone_size_bytes > 0"
              query "$to.part/graft.db" "SELECT DISTINCT 'blobs/segments/' || segment || '.seg' FROM blobs"
            } | while IFS= read -r file; do [ -f "$to.part/$file" ] || echo "$file"; done | sed -n 1,5p)
  [ -z "$missing" ] || fail "files that the database names are missing in the copy: $missing"
}

rm -rf "$to.part"
mkdir -p "$to.part"
trap 'rm -rf "$to.part" "$to.part.errors"' EXIT
if [ "$restore" = yes ]; then
  cp --archive "$from/." "$to.part/"
else
  copy_folders models
  query "$from/graft.db" "VACUUM INTO '${to//\'/\'\'}.part/graft.db'"
  copy_folders weights blobs models jobs
fi
check
sync
mv "$to.part" "$to"
