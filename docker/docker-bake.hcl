# The images: docker buildx bake -f docker/docker-bake.hcl jazzy-cuda (or cpu, cuda, all)
group "default" {
  targets = ["jazzy-cpu"]
}

group "all" {
  targets = ["cpu", "cuda"]
}

group "cpu" {
  targets = ["humble-cpu", "jazzy-cpu", "lyrical-cpu"]
}

group "cuda" {
  targets = ["humble-cuda", "jazzy-cuda", "lyrical-cuda"]
}

target "image" {
  name = "${distro}-${torch}"
  matrix = {
    distro = ["humble", "jazzy", "lyrical"]
    torch  = ["cpu", "cuda"]
  }
  context    = "."
  dockerfile = "docker/Dockerfile"
  tags       = ["hand3r_ros:${distro}-${torch}"]
  args = {
    ROS_DISTRO  = distro
    TORCH_INDEX = torch == "cpu" ? "https://download.pytorch.org/whl/cpu" : "https://pypi.org/simple"
  }
}
