#!/usr/bin/env bash
# Installs from the distribution what the local stack needs and the machine lacks; says how where it may not.
set -euo pipefail
python=${1:-python3.11}

packages=()
command -v "$python" >/dev/null || packages+=(python3.11)
"$python" -c 'import ensurepip' 2>/dev/null || packages+=(python3.11-venv)
command -v node >/dev/null || packages+=(nodejs)
command -v runsc >/dev/null || packages+=(runsc)
command -v cc >/dev/null || packages+=(gcc)
echo '#include <stdlib.h>' | cc -E - >/dev/null 2>&1 || packages+=(libc6-dev)
# bubblewrap is the weak sandbox: used only with --allow-weak-sandbox, and by the tests of it.
for tool in bwrap:bubblewrap unshare:util-linux mount:mount chroot:coreutils setpriv:util-linux; do
    command -v "${tool%%:*}" >/dev/null || packages+=("${tool#*:}")
done
[ -e /etc/ssl/certs/ca-certificates.crt ] || packages+=(ca-certificates)

if [ ${#packages[@]} -eq 0 ]; then exit 0; fi
if [ "$(id -u)" -ne 0 ]; then
    echo "This machine lacks: ${packages[*]}. Install them as root: apt-get install ${packages[*]}" >&2
    exit 1
fi
echo "Installing ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
