#!/usr/bin/env bash
# Runs other people's mail programs beside ours without installing them: each in a world of its own, which is a
# private mount and process namespace over an overlay of /. What it writes is in memory and gone at its end, and when
# this script ends, by whatever signal, the kernel ends every process in that world. The network is the host's.
#
#   world.sh possible                    exit 0, or 1 with a sentence that says what is missing
#   world.sh install NAME PACKAGE...     installs Debian packages into the layer NAME, once; kept as NAME.tar
#   world.sh run NAME FOLDER CMD...      runs CMD in a world with the layer NAME; FOLDER is /peer there and the folder
#                                        of this script is /interop
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
layers=${INTEROP_LAYERS:-$here/../../target/interop}

# in_world LAYER SAVE FOLDER CMD... : runs CMD in a world that begins with the layer and, where SAVE is a file, saves
# what CMD changed as a layer. A layer is a tar file, because a file can be kept on any file system, while an
# overlay's upper folder cannot lie on another overlay, as it would in most containers.
in_world() {
  mkdir -p "$layers/world"
  exec unshare --mount --pid --fork --kill-child --propagation private -- bash -c '
    set -eu
    top=$1 here=$2 layer=$3 save=$4 folder=$5; shift 5
    mount -t tmpfs -o mode=755 tmpfs "$top"
    mkdir "$top/upper" "$top/work" "$top/root"
    [ -z "$layer" ] ||
      tar --extract --numeric-owner --xattrs --xattrs-include="*" --directory "$top/upper" --file "$layer"
    mount -t overlay -o "lowerdir=/,upperdir=$top/upper,workdir=$top/work" overlay "$top/root"
    mkdir -p "$top/root/peer" "$top/root/interop"
    mount --bind "$folder" "$top/root/peer"
    mount --bind "$here" "$top/root/interop"
    mount -t proc proc "$top/root/proc"
    mount --rbind /dev "$top/root/dev"
    # In containers these are mounts, which an overlay of / does not show.
    for file in resolv.conf hosts; do
      rm -f "$top/root/etc/$file"
      cp -L "/etc/$file" "$top/root/etc/$file"
    done
    [ -n "$save" ] || exec chroot "$top/root" "$@"
    chroot "$top/root" "$@"
    tar --create --numeric-owner --xattrs --xattrs-include="*" --directory "$top/upper" --file "$save" \
      --exclude=./var/lib/apt --exclude=./var/cache --exclude=./peer --exclude=./interop --exclude=./tmp .
  ' world "$layers/world" "$here" "$@"
}

possible() {
  [ "$(id -u)" = 0 ] || { echo "this needs root"; return 1; }
  command -v unshare > /dev/null || { echo "this needs the command unshare"; return 1; }
  command -v apt-get > /dev/null || { echo "this needs a Debian with apt-get"; return 1; }
  ( in_world "" "" "$here" true ) > /dev/null 2>&1 ||
    { echo "this system lets us make no private namespace with an overlay of /"; return 1; }
}

# No service is started by an installation: policy-rc.d answers 101.
install_layer() {
  local name=$1; shift
  [ ! -s "$layers/$name.tar" ] || return 0
  rm -f "$layers/$name.tar.part"
  if ( in_world "" "$layers/$name.tar.part" "$here" bash -c '
      set -eu
      printf "#!/bin/sh\nexit 101\n" > /usr/sbin/policy-rc.d
      chmod +x /usr/sbin/policy-rc.d
      export DEBIAN_FRONTEND=noninteractive
      apt-get -o Acquire::Retries=3 update || echo "going on with the package lists that are there"
      apt-get install -y --no-install-recommends -o Acquire::Retries=3 -o Dpkg::Options::=--force-unsafe-io "$@"
    ' install "$@" ) > "$layers/$name.log" 2>&1 < /dev/null
  then
    mv "$layers/$name.tar.part" "$layers/$name.tar"
  else
    echo "installing $* into a scratch layer failed; the end of $layers/$name.log:"
    tail -n 5 "$layers/$name.log"
    return 1
  fi
}

mkdir -p "$layers"
layers=$(cd "$layers" && pwd)
verb=${1:-help}; shift || true
case $verb in
  possible) possible ;;
  install) install_layer "$@" ;;
  run) name=$1 folder=$2; shift 2; in_world "$layers/$name.tar" "" "$folder" "$@" ;;
  *) sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 64 ;;
esac
