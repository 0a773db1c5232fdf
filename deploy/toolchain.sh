# shellcheck shell=bash
# Finds a cargo that is new enough, and installs packages. Sourced by deploy/try and tests/run, which set ROOT and say.

# The words of whoever sources this go to standard error; standard output belongs to answers.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# install_packages WHY PACKAGE… : with apt, saying first what and why.
install_packages() {
    local why=$1
    shift
    command -v apt-get >/dev/null || {
        say "please install these yourself ($why): $*"
        return 1
    }
    say "installing with apt ($why): $*"
    if [ -z "${APT_UPDATED:-}" ]; then
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update >&2 || true
        APT_UPDATED=yes
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >&2
}

# need WHY COMMAND=PACKAGE… : installs the packages of those commands that are not there.
need() {
    local why=$1 pair missing=()
    shift
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} -eq 0 ] || install_packages "$why" "${missing[@]}"
}

wanted_rust() {
    sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$ROOT/Cargo.toml"
}

# at_least HAVE WANTED : by version order.
at_least() {
    [ -n "$1" ] && [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

version_of() {
    "$1" --version 2>/dev/null | sed -n 's/^[a-z]* \([0-9][0-9.]*\).*/\1/p' || true
}

apt_candidate() {
    apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \([0-9][0-9.]*\).*/\1/p'
}

# Takes the cargo in PATH or of rustup into PATH when it and its rustc are new enough.
use_cargo() {
    local wanted folder
    wanted=$(wanted_rust)
    for folder in "" "$HOME/.cargo/bin" /usr/bin; do
        local cargo=${folder:+$folder/}cargo rustc=${folder:+$folder/}rustc
        if at_least "$(version_of "$cargo")" "$wanted" && at_least "$(version_of "$rustc")" "$wanted"; then
            [ -z "$folder" ] || export PATH="$folder:$PATH"
            return 0
        fi
    done
    return 1
}

# A cargo that is new enough: the one that is there, else Debian's for web engines, else its usual one, else rustup.
find_cargo() {
    local wanted
    wanted=$(wanted_rust)
    use_cargo && return
    say "no Rust $wanted or newer is here"
    if command -v apt-get >/dev/null; then
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update >&2 || true
        APT_UPDATED=yes
        if at_least "$(apt_candidate rustc-web)" "$wanted" && apt-cache show cargo-web >/dev/null 2>&1; then
            install_packages "to build" rustc-web cargo-web && use_cargo && return
        fi
        if at_least "$(apt_candidate rustc)" "$wanted"; then
            install_packages "to build" rustc cargo && use_cargo && return
        fi
        if [ -n "$(apt_candidate rustup)" ]; then
            install_packages "to build" rustup
            say "rustup installs the stable toolchain into $HOME/.rustup"
            rustup toolchain install stable --profile minimal >&2 && rustup default stable >&2 && use_cargo && return
        fi
    fi
    need "to fetch rustup" curl=curl
    say "rustup's installer installs the stable toolchain into $HOME/.rustup and $HOME/.cargo"
    curl --proto '=https' --tlsv1.2 -fsS https://sh.rustup.rs | sh -s -- -y --profile minimal --no-modify-path >&2
    use_cargo || {
        say "no cargo of version $wanted or newer could be had"
        return 1
    }
}
