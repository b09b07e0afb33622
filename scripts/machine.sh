# What a build needs of a machine, for ./run and ./test, which say what to do in their own words: before this file is
# read, `stop SENTENCE` must be there, which ends the script, and `note SENTENCE`.
# shellcheck shell=bash

# How each package manager installs packages, and how it names what we need. A line has the command, what installs, and
# names for: C compiler, git, zstd, unshare, node, npm, chromium.
managers='
apt-get|apt-get install -y --no-install-recommends -o Acquire::Retries=3|build-essential|git|zstd|util-linux|nodejs|npm|chromium
dnf|dnf install -y|gcc gcc-c++ make|git|zstd|util-linux|nodejs|npm|chromium
zypper|zypper --non-interactive install|gcc gcc-c++ make|git|zstd|util-linux|nodejs|npm|chromium
pacman|pacman -S --noconfirm --needed|base-devel|git|zstd|util-linux|nodejs|npm|chromium
apk|apk add|build-base|git|zstd|util-linux|nodejs|npm|chromium
'
what=(cc git zstd unshare node npm chromium)

# manager_line : the line of the package manager there is; nothing if none is known.
manager_line() {
  local line
  while IFS= read -r line; do
    [[ -n $line ]] && command -v "${line%%|*}" > /dev/null && { printf '%s\n' "$line"; return; }
  done <<< "$managers"
  return 0
}

# packages_for THING... : the packages that bring these things, by the names of the package manager there is.
packages_for() {
  local fields thing place names=()
  IFS='|' read -r -a fields <<< "$(manager_line)"
  for thing in "$@"; do
    for place in "${!what[@]}"; do
      [[ ${what[place]} != "$thing" ]] || names+=("${fields[place + 2]:-$thing}")
    done
  done
  printf '%s\n' "${names[*]}"
}

# install_missing THING... : installs what is not there, or says what to type. A thing is a command of `what`.
install_missing() {
  local thing missing=()
  for thing in "$@"; do
    command -v "$thing" > /dev/null || missing+=("$thing")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  local line fields packages
  line=$(manager_line)
  [[ -n $line ]] || stop "these are missing: ${missing[*]}. Install them and start again."
  IFS='|' read -r -a fields <<< "$line"
  packages=$(packages_for "${missing[@]}")
  [[ $(id -u) -eq 0 ]] || stop "these are missing: ${missing[*]}. Type: sudo ${fields[1]} $packages"
  note "these are missing: ${missing[*]}. Installing them: ${fields[1]} $packages"
  # Package lists of a fresh machine or image are empty or old.
  if [[ ${fields[0]} = apt-get ]]; then
    apt-get -o Acquire::Retries=3 -qq update || note "apt-get update failed; going on with the package lists that are there"
  fi
  # shellcheck disable=SC2086 # a command and its arguments
  DEBIAN_FRONTEND=noninteractive ${fields[1]} $packages > /dev/null ||
    stop "this failed: ${fields[1]} $packages. See the message above, install ${missing[*]} in another way, and start again."
  hash -r
  for thing in "${missing[@]}"; do
    command -v "$thing" > /dev/null || stop "$packages was installed, and there is still no command \"$thing\"."
  done
}

# need_rust : finds cargo, sees that it is new enough, and sets the array `cargo_flags`.
need_rust() {
  # rustup puts cargo here, and a shell that was open before does not know.
  local cargo_home=${CARGO_HOME:-${HOME:-}/.cargo}
  [[ ! -d $cargo_home/bin ]] || PATH=$PATH:$cargo_home/bin
  command -v cargo > /dev/null && command -v rustc > /dev/null ||
    stop "there is no Rust. Install 1.95 or newer from https://rustup.rs and start again."
  local version minor
  version=$(rustc --version) || stop "there is rustup, but no compiler chosen. Type: rustup default stable"
  minor=$(sed -n 's/^rustc 1\.\([0-9]*\).*/\1/p' <<< "$version")
  [[ ${minor:-0} -ge 95 ]] || stop "$version is too old: Rust 1.95 or newer is needed. Type: rustup update"
  # One dependency declares Rust 1.98; it builds and passes on 1.95. From 1.98 on the flag has no effect.
  cargo_flags=(--ignore-rust-version)
}

# need_room FOLDER MEBIOCTETS : stops where a build would only find out after minutes that the disk is full.
need_room() {
  local free
  free=$(df -Pk "$1" 2> /dev/null | awk 'NR == 2 { print int($4 / 1024) }')
  [[ -z $free || $free -ge $2 ]] ||
    stop "there are $free MiB left on the disk of $(cd "$1" && pwd), and this needs about $2 MiB. Make room, or name another folder as CARGO_TARGET_DIR."
}

# processors : how many there are.
processors() { nproc 2> /dev/null || getconf _NPROCESSORS_ONLN 2> /dev/null || echo 1; }
