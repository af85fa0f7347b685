# Sourced by the scripts: makes the Python environment they run in.
#
# Without ROS 2: a plain .venv with everything from pip and embedded_ros activated.
# With ROS 2 sourced: a .venv on top of the system packages and the two packages built by colcon.
# After ensure_environment PYTHON names the interpreter, ROS2 the ros2 command and BACKEND what runs.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="$ROOT/.venv"
BACKEND=''
PYTHON=''
ROS2=''

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# The interpreter to build the environment of embedded_ros with: $HAND3R_PYTHON, else the first of python3 and the others
# that is of 3.10 to 3.12: its middleware and the versions in constraints.txt have no wheels for later ones. A sourced
# ROS 2 brings its own Python, whichever that is.
base_python() {
    local python found='' candidates=(python3 python3.12 python3.11 python3.10)
    if [ -n "${HAND3R_PYTHON:-}" ]; then candidates=("$HAND3R_PYTHON"); fi
    for python in "${candidates[@]}"; do
        command -v "$python" >/dev/null || continue
        found="${found:-$("$python" --version 2>&1)}"
        "$python" -c 'import sys; sys.exit(not ((3, 10) <= sys.version_info[:2] <= (3, 12)))' || continue
        "$python" -c 'import ensurepip, venv' 2>/dev/null ||
            fail "$python has no venv module: install the package python3-venv"
        printf '%s' "$python"
        return
    done
    fail "${found:-no ${HAND3R_PYTHON:-Python}} found; without ROS 2, embedded_ros needs Python 3.10 to 3.12 (its" \
        'middleware has no wheels for later ones): install one of them, set HAND3R_PYTHON to it, or source a ROS 2'
}

# Whether the system's packages, built against its numpy, need numpy 1.
system_has_numpy_1() {
    python3 -c 'import sys, numpy; sys.exit(not numpy.__version__.startswith("1."))' 2>/dev/null
}

ros2_is_sourced() {
    [ -n "${ROS_DISTRO:-}" ] && command -v ros2 >/dev/null && python3 -c 'import rclpy' 2>/dev/null
}

# Installs the requirement files given as arguments once; a changed file installs again.
install_requirements() {
    local stamp arguments=() file
    stamp="$VENV/.installed-$(cat "$ROOT/constraints.txt" "$ROOT/setup.py" "${@/#/$ROOT/}" | cksum | cut -d' ' -f1)-$BACKEND"
    [ -e "$stamp" ] && return
    for file in "$@"; do arguments+=(-r "$ROOT/$file"); done
    echo "installing $* into ${VENV##*/} (downloads on the first run)"
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --upgrade pip 'setuptools<80' wheel
    "$PYTHON" -m pip install --disable-pip-version-check --progress-bar off \
        ${CONSTRAINTS[@]+"${CONSTRAINTS[@]}"} "${arguments[@]}" \
        > >(grep --line-buffered -oE '^(Collecting|Installing|Successfully) .{1,100}') ||
        fail "pip could not install $*: see its messages above"
    touch "$stamp"
}

# install_package FOLDER COMMAND: installs the distribution in FOLDER from there; COMMAND is one that it brings.
install_package() {
    local command="$VENV/bin/$2"
    if [ ! -e "$command" ] || [ "$1/setup.py" -nt "$command" ]; then
        "$PYTHON" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e "$1" ||
            fail "pip could not install $1: see its messages above"
        touch "$command"
    fi
}

ensure_embedded() {
    BACKEND=embedded
    [ -x "$VENV/bin/python" ] || "$(base_python)" -m venv "$VENV" || fail "could not create $VENV"
    PYTHON="$VENV/bin/python" ROS2="$VENV/bin/ros2" CONSTRAINTS=(-c "$ROOT/constraints.txt")
    install_requirements requirements.txt embedded_ros/requirements.txt "$@"
    install_package "$ROOT" hand3r
    install_package "$ROOT/embedded_ros" ros2
    export PATH="$VENV/bin:$PATH"
}

ensure_ros2() {
    BACKEND="ros2-$ROS_DISTRO"
    [ -x "$VENV/bin/python" ] || python3 -m venv --system-site-packages "$VENV" || fail "could not create $VENV"
    touch "$VENV/COLCON_IGNORE"
    PYTHON="$VENV/bin/python" ROS2=ros2 CONSTRAINTS=()
    # Humble and Jazzy: the cv_bridge is built against numpy 1. Lyrical has numpy 2.
    if system_has_numpy_1; then CONSTRAINTS=(-c "$ROOT/constraints.txt"); fi
    install_requirements requirements.txt "$@"
    export PATH="$VENV/bin:$PATH"
    (cd "$ROOT" && colcon build --packages-up-to hand3r_ros --event-handlers console_direct-) ||
        fail 'colcon build failed: see its messages above'
    set +u
    # shellcheck disable=SC1091
    source "$ROOT/install/setup.bash"
    set -u
    # shellcheck disable=SC2155
    export PYTHONPATH="$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'):${PYTHONPATH:-}"
}

# ensure_environment [FILE...]: FILE are further requirement files of the repository.
ensure_environment() {
    if ros2_is_sourced; then ensure_ros2 "$@"; else ensure_embedded "$@"; fi
    export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}"
    echo "middleware: $BACKEND, python: $("$PYTHON" --version)"
}
