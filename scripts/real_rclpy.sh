# Sourced after environment.sh: makes .venv-rclpy, in which the tests run on the real rclpy.
#
# rclpy (ROS 2 Jazzy, Fast DDS) comes from PyPI wheels; hand3r_msgs, and tf2_msgs and vision_msgs, which the wheels
# lack, are compiled into the same prefix. The other packages that they lack are those of embedded_ros/api, which run on
# top of any rclpy. The interpreter in .venv-rclpy needs nothing sourced.

RCLPY_VENV="$ROOT/.venv-rclpy"

# Prints why the real rclpy cannot be had on this machine; prints nothing where it can.
missing_for_real_rclpy() {
    local python="${HAND3R_PYTHON:-python3}" command
    if ros2_is_sourced; then echo "ROS 2 $ROS_DISTRO is sourced: the tests run on it as they are" && return; fi
    for command in gcc g++; do
        command -v "$command" >/dev/null || { echo "no $command" && return; }
    done
    [ "$(uname -sm)" = 'Linux x86_64' ] || { echo "there are no wheels for $(uname -sm)" && return; }
    "$python" -c 'import os, sysconfig as s, sys; sys.exit(not os.path.exists(s.get_path("include") + "/Python.h"))' ||
        echo "no Python headers (the package python3-dev)"
}

# The wheels name folders of the machine that they were built on.
correct_paths_of_wheels() {
    local include numpy_include
    include="$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("include"))')"
    numpy_include="$("$PYTHON" -c 'import numpy; print(numpy.get_include())')"
    grep -rlZE '/opt/python/cp[0-9]+-cp[0-9]+' "$VENV/share" --include='*.cmake' | xargs -0 -r sed -i -E \
        -e "s#/opt/python/cp[0-9]+-cp[0-9]+/lib/python3\.[0-9]+/site-packages/numpy/(_core|core)/include#$numpy_include#g" \
        -e "s#/opt/python/cp[0-9]+-cp[0-9]+/include/python3\.[0-9]+#$include#g" || true
}

# interface_package NAME DEFINITIONS...: a source package of messages; DEFINITIONS are paths msg/X.msg or srv/X.srv.
interface_package() {
    local folder="$VENV/src/$1" name="$1"
    shift
    cat >"$folder/package.xml" <<XML
<?xml version="1.0"?>
<package format="3">
  <name>$name</name>
  <version>0.0.0</version>
  <description>Message definitions for the tests.</description>
  <maintainer email="hand3r-ros@users.noreply.github.com">hand3r_ros maintainers</maintainer>
  <license>Apache-2.0</license>
  <buildtool_depend>ament_cmake</buildtool_depend>
  <buildtool_depend>rosidl_default_generators</buildtool_depend>
  <depend>std_msgs</depend>
  <depend>geometry_msgs</depend>
  <member_of_group>rosidl_interface_packages</member_of_group>
  <export><build_type>ament_cmake</build_type></export>
</package>
XML
    cat >"$folder/CMakeLists.txt" <<CMAKE
cmake_minimum_required(VERSION 3.10)
project($name)
find_package(ament_cmake REQUIRED)
find_package(rosidl_default_generators REQUIRED)
find_package(std_msgs REQUIRED)
find_package(geometry_msgs REQUIRED)
rosidl_generate_interfaces(\${PROJECT_NAME} $* DEPENDENCIES std_msgs geometry_msgs)
ament_package()
CMAKE
}

compile_messages() {
    local definitions="$ROOT/embedded_ros/embedded_ros/definitions" stamp log="$VENV/log/messages.txt"
    stamp="$VENV/.messages-$(find "$ROOT/hand3r_msgs" "$definitions" "${BASH_SOURCE[0]}" -type f -print0 | sort -z |
        xargs -0 cat | cksum | cut -d' ' -f1)"
    [ -e "$stamp" ] && return
    echo 'compiling the messages for rclpy'
    rm -rf "$VENV"/.messages-* "$VENV/src" "$VENV/build"
    mkdir -p "$VENV/src" "$VENV/log"
    cp -r "$ROOT/hand3r_msgs" "$definitions/vision_msgs" "$definitions/tf2_msgs" "$VENV/src/"
    mkdir -p "$VENV/src/tf2_msgs/msg"
    echo 'geometry_msgs/TransformStamped[] transforms' >"$VENV/src/tf2_msgs/msg/TFMessage.msg"
    local name
    for name in tf2_msgs vision_msgs; do
        # shellcheck disable=SC2046
        interface_package "$name" $(cd "$VENV/src/$name" && find . -name '*.msg' -printf 'msg/%f ' -o -name '*.srv' -printf 'srv/%f ')
    done
    correct_paths_of_wheels
    (
        cd "$VENV/src"
        PATH="$VENV/bin:$PATH" AMENT_PREFIX_PATH="$VENV" CMAKE_PREFIX_PATH="$VENV" COLCON_DEFAULTS_FILE=/dev/null \
            "$VENV/bin/colcon" --log-base "$VENV/log" build --executor sequential --merge-install \
            --install-base "$VENV" --build-base "$VENV/build" --base-paths "$VENV/src" --cmake-args -G Ninja \
            "-DPython3_EXECUTABLE=$PYTHON" -DPython3_FIND_VIRTUALENV=ONLY -DCMAKE_POLICY_VERSION_MINIMUM=3.5
    ) >"$log" 2>&1 || fail "the messages could not be compiled: $(tail -n 20 "$log")"
    touch "$stamp"
}

# The packages of embedded_ros/api but rclpy, before all others; the command ros2; the environment of a sourced ROS 2.
activate_embedded_packages() {
    local folder="$VENV/embedded" package
    mkdir -p "$folder"
    ln -sfn "$ROOT/embedded_ros/embedded_ros" "$folder/embedded_ros"
    for package in "$ROOT"/embedded_ros/api/*/; do
        package="$(basename "$package")"
        [ "$package" = rclpy ] || ln -sfn "$ROOT/embedded_ros/api/$package" "$folder/$package"
    done
    # Fields are checked as strictly as embedded_ros checks them.
    # Read before the wheels' own start-up file, which starts the interpreter again with LD_LIBRARY_PATH set.
    cat >"$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/hand3r_rclpy.pth" <<PTH
import os, sys; sys.path.insert(0, '$folder'); os.environ.update(AMENT_PREFIX_PATH='$VENV', ROS_DISTRO='jazzy'); os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST'); os.environ.setdefault('ROS_PYTHON_CHECK_FIELDS', '1')
PTH
    printf '#!/bin/sh\nexec "%s" -m embedded_ros.cli "$@"\n' "$PYTHON" >"$VENV/bin/ros2"
    chmod +x "$VENV/bin/ros2"
}

# ensure_real_rclpy [FILE...]: FILE are further requirement files of the repository.
ensure_real_rclpy() {
    local missing
    missing="$(missing_for_real_rclpy)"
    [ -z "$missing" ] || fail "the real rclpy cannot be installed: $missing"
    VENV="$RCLPY_VENV"
    BACKEND=rclpy
    [ -x "$VENV/bin/python" ] || "$(base_python)" -m venv "$VENV" || fail "could not create $VENV"
    touch "$VENV/COLCON_IGNORE"
    PYTHON="$VENV/bin/python" CONSTRAINTS=(-c "$ROOT/constraints.txt")
    install_requirements requirements.txt requirements-rclpy.txt "$@"
    compile_messages
    activate_embedded_packages
    install_package "$ROOT" hand3r
    export PATH="$VENV/bin:$PATH" OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}"
    echo "middleware: rclpy of ROS 2 Jazzy with Fast DDS, python: $("$PYTHON" --version)"
}
