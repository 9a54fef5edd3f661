# shellcheck shell=bash
# What the scripts share: where things are, what is installed, and one server to talk to.
# Sourced, never run. Leaves the caller in the project's root.

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
# Servers are there, which a user's path may not name.
PATH=$PATH:/usr/sbin:/sbin

# Says one line about what happens next.
say() { printf '== %s\n' "$*"; }

# Says why nothing more can happen, and ends the script.
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Runs a command that changes the machine: as it is for root, by sudo for others.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# install PACKAGE…: installs packages of Debian. A server among them is started neither now nor at the next boot.
install() {
  if ! command -v apt-get >/dev/null || ! as_root true 2>/dev/null; then
    die "install what Debian calls $*, and try again"
  fi
  say "installing $*"
  local guard=/usr/sbin/policy-rc.d units=/lib/systemd/system before
  before=$(ls "$units" 2>/dev/null || true)
  as_root apt-get update -qq
  if [ -e "$guard" ]; then guard=''; fi
  if [ -n "$guard" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$guard" >/dev/null
    as_root chmod 755 "$guard"
  fi
  local code=0 said
  said=$(as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@") || code=$?
  # Which package could not be set up, and why, is not among its errors.
  [ "$code" = 0 ] || tail -n 40 <<<"$said" >&2
  [ -z "$guard" ] || as_root rm "$guard"
  local unit
  for unit in $(comm -13 <(echo "$before") <(ls "$units")); do
    case $unit in nginx.service | haproxy.service | apache2.service | lighttpd.service | caddy.service | prometheus.service | prometheus-alertmanager.service | postgresql.service | pgbouncer.service | redis-server.service)
      ! command -v systemctl >/dev/null || as_root systemctl disable --quiet "$unit" || true
      ;;
    esac
  done
  return "$code"
}

# need COMMAND PACKAGE [COMMAND PACKAGE]…: installs the packages, together, whose command is missing. A command with a
# blank is run to see whether it is there.
need() {
  local missing=()
  while [ $# -gt 1 ]; do
    case $1 in
      *' '*) eval "$1" >/dev/null 2>&1 || missing+=("$2") ;;
      *) command -v "$1" >/dev/null || missing+=("$2") ;;
    esac
    shift 2
  done
  [ ${#missing[@]} = 0 ] || install "${missing[@]}"
}

# The programs that the tests run, and Debian's packages of them: of each part, for itself and for scripts/setup.
needs_basic=(cc build-essential ss iproute2 strace strace nc netcat-openbsd 'python3 -c "import ensurepip, venv"' python3-venv)
needs_node=(node nodejs npm npm)
needs_browser=(chromium chromium firefox-esr firefox-esr 'ls /usr/share/fonts/*/*' fonts-dejavu-core)
needs_clients=(tclsh tcl 'echo "exit [catch {package require websocket}]" | tclsh' tcllib 'perl -MMojolicious -e1' libmojolicious-perl
  'ruby -e "require %q(faye/websocket)"' ruby-faye-websocket lua5.2 lua5.2 'lua5.2 -e "require [[http.websocket]]"' lua-http
  swipl swi-prolog-nox 'echo "#include <libwebsockets.h>" | cc -E -' libwebsockets-dev
  prometheus-alertmanager prometheus-alertmanager
  strace strace openssl openssl)
needs_proxies=(nginx nginx-light 'ls /usr/lib/nginx/modules/ngx_stream_module.so' libnginx-mod-stream haproxy haproxy
  apache2 apache2-bin lighttpd lighttpd caddy caddy)
needs_packages=(strace strace pgrep procps systemd-analyze systemd promtool prometheus openssl openssl)

needs_cluster=('ls /usr/lib/postgresql/*/bin/postgres' postgresql pgbouncer pgbouncer openssl openssl
  'command -v valkey-server || command -v redis-server' redis-server)
needs_terminal=(tmux tmux)
needs_hostile=(slowhttptest slowhttptest openssl openssl)

need_cargo() {
  command -v cargo >/dev/null || die "cargo is missing; install Rust 1.95 or later from https://rustup.rs"
}

# Makes scripts/.venv with the pinned packages, once for each state of the list.
need_venv() {
  local venv=$root/scripts/.venv list=$root/scripts/lib/requirements.txt
  python=$venv/bin/python
  if [ -x "$python" ] && cmp -s "$list" "$venv/requirements.txt"; then return; fi
  need 'python3 -c "import ensurepip, venv"' python3-venv
  say "installing the Python packages into scripts/.venv"
  python3 -m venv --clear "$venv"
  "$python" -m pip install --quiet --disable-pip-version-check --requirement "$list"
  cp "$list" "$venv/requirements.txt"
}

# Node from 20.11 on, of which the tests use the options and Playwright the rest: this machine's, or where that is older,
# as Debian 12's is, one of npm's in scripts/lib/node.
need_node() {
  need "${needs_node[@]}"
  local is_new='const [major, minor] = process.versions.node.split("."); process.exit(Number(major * 100 + Number(minor) < 2011))'
  if node -e "$is_new"; then return; fi
  npm_packages "$root/scripts/lib/node"
  PATH=$(echo "$root"/scripts/lib/node/node_modules/node-linux-*/bin):$PATH
}

# need_npm FOLDER: installs the packages that FOLDER's lock file names.
need_npm() {
  need_node
  npm_packages "$1"
}

# npm_packages FOLDER: the same, once for each state of the list.
npm_packages() {
  if cmp -s "$1/package-lock.json" "$1/node_modules/.installed"; then return; fi
  say "installing the Node packages of ${1#"$root"/}"
  npm ci --prefix "$1" --no-audit --no-fund --silent
  cp "$1/package-lock.json" "$1/node_modules/.installed"
}

# The folder that cargo builds into, wherever the environment has put it. Arguments are cargo's.
target_dir() {
  cargo metadata --format-version 1 --no-deps "$@" | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

# Builds all programs of the workspace in the profile of all tests, and names two: the server, $server_bin, and what
# torments it, $torture_bin. SERVER_BIN names another server that is there already.
build() {
  need_cargo
  say "building (profile ci)"
  cargo build --quiet --profile ci --workspace --features terminal --bins
  local built
  built=$(target_dir)/ci
  torture_bin=$built/chinwag-torture
  server_bin=${SERVER_BIN:-$built/chinwag}
}

# start_server ARGUMENT…: starts the server on ports that the system chooses and sets $server_pid,
# $http_addr, $tcp_addr, $admin_addr and $server_log; besides, it listens for HTTP at $more_listeners. It is stopped when the script ends, at the latest.
start_server() {
  [ -x "${server_bin:=${SERVER_BIN:-}}" ] || build
  scratch=$(mktemp -d)
  server_log=$scratch/log
  mkfifo "$scratch/stdout"
  "$server_bin" --listen "127.0.0.1:0${more_listeners:+,$more_listeners}" --tcp 127.0.0.1:0 --admin 127.0.0.1:0 --data "$scratch/data" "$@" \
    >"$scratch/stdout" 2>"$server_log" &
  server_pid=$!
  trap kill_server EXIT
  exec 3<"$scratch/stdout"
  http_addr='' tcp_addr='' admin_addr=''
  local line
  while [ -z "$http_addr" ] || [ -z "$tcp_addr" ] || [ -z "$admin_addr" ]; do
    if ! read -r -t 10 -u 3 line; then
      cat "$server_log" >&2
      die "the server did not announce its addresses"
    fi
    case $line in
      'listening http://'*) line=${line#listening http://} http_addr=${line%% *} ;;
      'listening tcp://'*) tcp_addr=${line#listening tcp://} ;;
      'listening admin http://'*) admin_addr=${line#listening admin http://} ;;
    esac
  done
}

# Stops the server as an operator would: it must leave with 0 within 10 seconds and no panic in its log.
stop_server() {
  trap - EXIT
  local code=0
  kill -TERM "$server_pid"
  if ! timeout 10 tail --pid="$server_pid" -s 0.05 -f /dev/null; then kill -KILL "$server_pid"; fi
  wait "$server_pid" || code=$?
  exec 3<&-
  if [ "$code" != 0 ]; then tail -20 "$server_log" >&2; fi
  if grep -q panicked "$server_log"; then
    grep panicked "$server_log" >&2
    die "the server's log has a panic"
  fi
  rm -rf "$scratch"
  [ "$code" = 0 ] || die "the server left with $code instead of 0"
}

kill_server() {
  kill -KILL "$server_pid" 2>/dev/null || true
  rm -rf "$scratch"
}
