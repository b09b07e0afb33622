# Sourced by the peer scripts. Each peer runs in a private mount namespace over an overlay of / (so nothing is
# installed on, or started by, the host), in a cgroup of its own (CPU accounting), pinned to one CPU, on loopback.
: "${BENCH_DIR:=/tmp/smtpbench}"      # scratch: overlays, spools, logs
: "${SERVER_CPU:=0}" "${CLIENT_CPU:=1}"
: "${SINK_PORT:=2600}"
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BIN=${BIN:-$HERE/../smtpload/target/release}
mkdir -p "$BENCH_DIR"

# ns NAME CMD... : CMD inside NAME's overlay; directories under BENCH_DIR/NAME/real/ are plain (not overlay) there
ns() {
  local n=$1; shift
  local b=$BENCH_DIR/$n
  mkdir -p "$b"/{u,w,m,real}
  unshare -m --propagation private bash -c '
    b=$0
    mount -t overlay overlay -o lowerdir=/,upperdir=$b/u,workdir=$b/w $b/m || exit 99
    mount -t proc proc $b/m/proc; mount --rbind /dev $b/m/dev; mount --rbind /sys $b/m/sys; mount --bind /tmp $b/m/tmp
    ( cd $b/real && find . -mindepth 1 -name .here -printf "%h\n" ) | while read -r d; do
      mkdir -p $b/m/$d; mount --bind $b/real/$d $b/m/$d; done
    rm -f $b/m/etc/resolv.conf; [ -n "$BENCH_NO_DNS" ] && cp /etc/resolv.conf $b/m/etc/resolv.conf || echo "nameserver 127.0.0.9" > $b/m/etc/resolv.conf
    exec chroot $b/m "$@"' "$b" "$@"
}
# real NAME /path : keep /path of that namespace on the plain file system (spools: honest fsync)
real() { mkdir -p "$BENCH_DIR/$1/real$2"; touch "$BENCH_DIR/$1/real$2/.here"; }
# apt_in NAME PKG... : no service is started (policy-rc.d answers 101 inside the overlay)
apt_in() {
  local n=$1; shift
  ns "$n" sh -c 'printf "#!/bin/sh\nexit 101\n" > /usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d'
  BENCH_NO_DNS=1 ns "$n" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" > "$BENCH_DIR/$n.install.log" 2>&1
}
cgdir() { if [ -d /sys/fs/cgroup/cpuacct ]; then echo /sys/fs/cgroup/cpuacct/bench_$1; else echo /sys/fs/cgroup/bench_$1; fi; }
# bg NAME CPU CMD... : start in cgroup NAME; its processes end with `stop NAME`
bg() {
  local n=$1 cpu=$2; shift 2
  local g; g=$(cgdir "$n"); mkdir -p "$g"
  ( echo $BASHPID > "$g/cgroup.procs"; exec taskset -c "$cpu" setsid "$@" ) >> "$BENCH_DIR/$n.log" 2>&1 &
}
# stop NAME : ends exactly the processes of that cgroup
stop() {
  local g; g=$(cgdir "$1")
  for sig in TERM TERM KILL; do
    grep -q . "$g/cgroup.procs" 2>/dev/null || break
    while read -r p; do kill -$sig "$p" 2>/dev/null; done < "$g/cgroup.procs"
    sleep 0.7
  done
}
# enter a namespace function in background: bgns NAME CPU NS CMD...
bgns() { local n=$1 cpu=$2 s=$3; shift 3; bg "$n" "$cpu" bash -c '. "$0"; s=$1; shift; ns "$s" "$@"' "$HERE/namespace.sh" "$s" "$@"; }
# a resolver at 127.0.0.9:53 (loopback only) that answers at once: no peer waits for reverse look-ups
dns_up() { grep -q . "$(cgdir dns9)/cgroup.procs" 2>/dev/null || bg dns9 "$CLIENT_CPU" python3 "$HERE/dns_stub.py" 53 127.0.0.9 "$(cat "$BENCH_DIR/signed.key" 2>/dev/null)"; }
wait_port() { local i; for i in $(seq ${2:-150}); do (exec 3<>/dev/tcp/127.0.0.1/"$1") 2>/dev/null && return 0; sleep 0.1; done; echo "port $1 did not open" >&2; return 1; }
export BENCH_DIR SERVER_CPU CLIENT_CPU SINK_PORT BIN HERE
