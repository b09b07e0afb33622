#!/bin/bash
# Haraka: 2560 = smtp_forward (proxy to the sink before the 250), 2561 = its own outbound queue (flushed) + relay,
# 2562 = haraka-plugin-greylist on Redis
. "$(dirname "$0")/namespace.sh"
D=$BENCH_DIR/haraka
case $1 in
install)
  mkdir -p "$D" && cd "$D" || exit 1
  [ -f package.json ] || echo '{"name":"h","version":"1.0.0","private":true,"dependencies":{"Haraka":"*","haraka-plugin-greylist":"*","haraka-plugin-redis":"*"}}' > package.json
  [ -d node_modules/Haraka ] || npm install --no-audit --no-fund > "$BENCH_DIR/haraka.install.log" 2>&1
  for i in fwd queue grey; do
    rm -rf "$D/$i"; node node_modules/Haraka/bin/haraka -i "$D/$i" > /dev/null 2>&1; mkdir -p "$D/$i"/{config,plugins,queue}; c=$D/$i/config
    case $i in fwd) p=2560 ;; queue) p=2561 ;; grey) p=2562 ;; esac
    printf "listen=127.0.0.1:$p\nnodes=0\ndaemonize=false\n" > $c/smtp.ini
    echo bench-haraka.test > $c/me; echo bench.test > $c/host_list; echo LOGWARN > $c/loglevel; echo 0 > $c/max_unrecognized_commands
    printf "[main]\nlevel=WARN\nformat=DEFAULT\n" > $c/log.ini
    printf "host=127.0.0.1\nport=$SINK_PORT\nmax_connections=50\nenable_outbound=false\n" > $c/smtp_forward.ini
    [ $i = grey ] && sed -i "s/^; enabled=true/enabled=true/; s/^; hosts\[\] *=.*/hosts[]=127.0.0.0\/8/" $c/connection.ini; printf "always_split=false\nconcurrency_max=50\n" > $c/outbound.ini
    cat > $D/$i/plugins/benchrcpt.js <<'J'
exports.hook_rcpt = function (next, connection, params) {
    const u = params[0].user
    if (u.startsWith('nobody')) return next(DENY, '5.1.1 no such user')
    if (process.env.BENCH_STUB_GREY && u.startsWith('grey')) return next(DENYSOFT, '4.7.1 try again later')
    if (process.env.BENCH_QUEUE) connection.relaying = true
    next(process.env.BENCH_GREY ? undefined : OK)
}
exports.hook_get_mx = (next) => next(OK, { priority: 0, exchange: '127.0.0.1', port: +process.env.SINK_PORT })
exports.hook_queue = function (next) { process.env.BENCH_DROP ? next(OK) : next() }
J
    case $i in fwd) echo -e "benchrcpt\nqueue/smtp_forward" ;; queue) echo benchrcpt ;; grey) echo -e "redis\nbenchrcpt\ngreylist\nrcpt_to.in_host_list\nqueue/smtp_forward" ;; esac > $c/plugins
    printf "[server]\nhost=127.0.0.1\nport=2524\n" > $c/redis.ini
    printf "text=Greylisted\n[redis]\nhost=127.0.0.1\nport=2524\ndb=11\n[skip]\ndnswlorg=false\nmailspikewl=false\n[period]\nblack=${GREY_DELAY:-3}\ngrey=90000\nwhite=3024000\n" > $c/greylist.ini
  done ;;
start)   # start fwd|queue|grey
  e=(SINK_PORT=$SINK_PORT); case $2 in fwd) p=2560; e+=(BENCH_STUB_GREY=1) ;; queue) p=2561; e+=(BENCH_QUEUE=1 BENCH_STUB_GREY=1) ;; grey) p=2562; e+=(BENCH_GREY=1); bg haraka_grey "$SERVER_CPU" redis-server --bind 127.0.0.1 --port 2524 --save "" --appendonly no ;; esac
  dns_up; bgns haraka_$2 "$SERVER_CPU" hk env "${e[@]}" node "$D/node_modules/Haraka/bin/haraka" -c "$D/$2"; wait_port $p ;;
stop) for i in fwd queue grey; do stop haraka_$i; done ;;
esac
