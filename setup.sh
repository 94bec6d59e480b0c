#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# setup.sh REQUIREMENTS STAMP: system libraries, .venv, Python packages, models. Called by make; safe to call again.
set -eu
cd "$(dirname "$0")"
requirements=$1 stamp=$2

say() { printf '%s\n' "$*" >&2; }

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    say "Python 3.11 or newer is needed, $("$python" --version 2>&1 || echo "no $python") was found: install it, or name one with PYTHON=..."
    exit 1
}

# Shared libraries that Qt and OpenCV load, with the Debian package each comes in.
missing=""
known=$(ldconfig -p 2>/dev/null || /sbin/ldconfig -p)
while read -r library package; do
    case "$known" in *"$library"*) ;; *) missing="$missing $package" ;; esac
done <<EOF
libEGL.so.1 libegl1
libGL.so.1 libgl1
libxkbcommon.so.0 libxkbcommon0
libdbus-1.so.3 libdbus-1-3
libfontconfig.so.1 libfontconfig1
libglib-2.0.so.0 libglib2.0-0
libxcb-cursor.so.0 libxcb-cursor0
libxkbcommon-x11.so.0 libxkbcommon-x11-0
libxcb-icccm.so.4 libxcb-icccm4
libxcb-keysyms.so.1 libxcb-keysyms1
libxcb-image.so.0 libxcb-image0
libxcb-render-util.so.0 libxcb-render-util0
libxcb-shape.so.0 libxcb-shape0
libxcb-xkb.so.1 libxcb-xkb1
EOF
"$python" -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
# The kernels of the low-bit networks are built here, for this machine.
echo 'int main(void) { return 0; }' | ${CC:-cc} -include stdint.h -x c -o /dev/null - 2>/dev/null ||
    missing="$missing gcc libc6-dev"
[ -n "$(find /usr/share/fonts "$HOME/.fonts" "$HOME/.local/share/fonts" -name '*.[to]t[fc]' 2>/dev/null | head -n 1)" ] ||
    missing="$missing fonts-dejavu-core"
find /usr/share/fonts "$HOME/.fonts" "$HOME/.local/share/fonts" -iname '*cjk*' -o -iname '*gothic*' -o -iname '*ipag*' \
    -o -iname '*motoya*' -o -iname '*takao*' -o -iname '*NotoSansJP*' 2>/dev/null | grep -q . ||
    missing="$missing fonts-motoya-l-cedar"

# With these the tests also run the kernels on an emulated Cortex-A9; without them those tests say so and are skipped.
optional=""
if [ "$requirements" != requirements.txt ]; then
    command -v qemu-arm >/dev/null || optional="$optional qemu-user"
    command -v arm-linux-gnueabihf-gcc >/dev/null || optional="$optional gcc-arm-linux-gnueabihf libc6-dev-armhf-cross"
fi
# A Vulkan driver in software: with it the tests run networks through the GPU's code; without it those tests say so and
# are skipped. Installed by itself, because Ubuntu has no package of that name.
software_gpu=""
if [ "$requirements" != requirements.txt ] && [ ! -e /usr/lib/chromium/vk_swiftshader_icd.json ]; then
    software_gpu="chromium-common libvulkan1"
fi
# Verilator makes a C++ program of the accelerator. Icarus reads it a second time, where it is installed.
if [ "$requirements" = requirements-fpga.txt ]; then
    command -v "${CXX:-c++}" >/dev/null || missing="$missing g++"
    command -v perl >/dev/null || missing="$missing perl"
    command -v iverilog >/dev/null || optional="$optional iverilog"
fi

if [ -n "$missing$optional$software_gpu" ]; then
    as_root=""
    [ "$(id -u)" = 0 ] || as_root="sudo -n"
    if command -v apt-get >/dev/null && { [ -z "$as_root" ] || sudo -n true 2>/dev/null; }; then
        say "installing system packages:$missing$optional $software_gpu"
        # shellcheck disable=SC2086  (words on purpose)
        $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends $missing $optional >/dev/null || [ -z "$missing" ]
        # shellcheck disable=SC2086
        [ -z "$software_gpu" ] || $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends $software_gpu >/dev/null 2>&1 ||
            say "There is no $software_gpu here: the tests of the GPU's code will be skipped."
    elif [ -n "$missing" ]; then
        say "System libraries are missing; install them, then run make again:"
        say "    sudo apt-get install --no-install-recommends$missing"
        exit 1
    fi
fi

[ -x .venv/bin/python ] || "$python" -m venv .venv
say "installing $requirements into .venv (minutes on the first time)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$requirements"
[ "$requirements" = requirements.txt ] ||
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-nodeps.txt
.venv/bin/python -m device.lowbit.machine >/dev/null || say "The low-bit network cannot run here yet; float and int8 can."
if ! .venv/bin/python -m models.fetch >/dev/null; then
    say "The models and the demo clip are not here yet; everything else is set up. Run make setup again when online."
    exit 1
fi
touch "$stamp"
