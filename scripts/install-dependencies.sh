#!/usr/bin/env bash
# Installs what this machine lacks, and says so; does nothing where nothing is missing.
#
#   scripts/install-dependencies.sh          what building needs: libvips and FFmpeg with their headers, pkg-config, git
#   scripts/install-dependencies.sh format   what formatting needs: clang-format of one fixed version, in .cache/
set -euo pipefail
cd "$(dirname "$0")/.."

# The oldest Swift that Package.swift can be read by (its swift-tools-version).
readonly swift_version=6.2
# Versions of clang-format break lines differently, and distributions ship many: the one that counts is fixed here.
readonly clang_format_version=23.1.5

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# "6.3.1" of "Swift version 6.3.1 (swift-6.3.1-RELEASE)"
installed_swift() { swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1; }

check_swift() {
    have swift || fail "Swift $swift_version or later is needed and there is none; get it from https://www.swift.org/install"
    local found oldest
    found=$(installed_swift)
    [ -n "$found" ] || fail "\`swift --version\` does not run; get Swift from https://www.swift.org/install"
    oldest=$(printf '%s\n%s\n' "$swift_version" "$found" | sort -t. -k1,1n -k2,2n | head -n 1)
    [ "$oldest" = "$swift_version" ] ||
        fail "Swift $swift_version or later is needed, found $found; get it from https://www.swift.org/install"
}

has_vips() { have pkg-config && pkg-config --exists vips; }
has_ffmpeg() { have pkg-config && pkg-config --exists libavformat libavcodec libswscale libavutil; }

# as_root COMMAND…: by sudo, where this is not root.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        fail "root is needed to install packages, and there is no sudo. As root, run: $*"
    fi
}

apt_install() {
    say "installing with apt: $*"
    # A package list that is out of date (or, in a container, absent) is the usual reason for a failure.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >&2
}

install_for_building() {
    local missing=()
    case "$(uname -s)" in
    Darwin)
        have pkg-config || missing+=(pkgconf)
        has_vips || missing+=(vips)
        has_ffmpeg || missing+=(ffmpeg)
        [ ${#missing[@]} -eq 0 ] && return
        have brew || fail "needed: ${missing[*]}. With Homebrew (https://brew.sh) this script installs them itself"
        say "installing with Homebrew: ${missing[*]}"
        brew install "${missing[@]}" >&2
        ;;
    *)
        have git || missing+=(git)
        have pkg-config || missing+=(pkg-config)
        has_vips || missing+=(libvips-dev)
        has_ffmpeg || missing+=(libavformat-dev libavcodec-dev libswscale-dev libavutil-dev)
        [ ${#missing[@]} -eq 0 ] && return
        have apt-get || fail "needed: ${missing[*]} (names of Debian; on Fedora: git pkgconf vips-devel ffmpeg-devel). Please install them"
        apt_install "${missing[@]}"
        ;;
    esac
    has_vips || fail "libvips was installed, but pkg-config does not find it"
    has_ffmpeg || fail "FFmpeg was installed, but pkg-config does not find it"
}

install_for_formatting() {
    local folder=.cache/clang-format
    if [ -x $folder/bin/clang-format ] && $folder/bin/clang-format --version | grep -qF "version $clang_format_version"; then
        return
    fi
    if ! python3 -c 'import venv, ensurepip' >/dev/null 2>&1; then
        have apt-get || fail "Python 3 with venv is needed to install clang-format $clang_format_version"
        apt_install python3-venv
    fi
    say "installing clang-format $clang_format_version into $folder"
    rm -rf $folder
    python3 -m venv $folder
    $folder/bin/pip install --quiet --disable-pip-version-check "clang-format==$clang_format_version"
}

check_swift
case "${1:-build}" in
build) install_for_building ;;
format) install_for_formatting ;;
*) fail "expected nothing or \"format\", found \"$1\"" ;;
esac
