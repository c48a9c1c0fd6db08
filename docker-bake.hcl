// docker buildx bake embedded         one image a group; those whose engines are built are in `default`

variable "REPOSITORY" { default = "worker-tts" }
variable "VERSION" { default = "dev" }
variable "WEIGHTS" { default = "0" }

group "default" { targets = ["embedded", "cloning"] }

target "embedded" {
  dockerfile = "Dockerfile"
  platforms  = ["linux/amd64"]
  args       = { GROUP = "embedded", WEIGHTS = WEIGHTS }
  tags       = ["${REPOSITORY}:${VERSION}-embedded"]
}

// CUDA 13.0, driver 580 or newer; docs/decisions/0022 says why.
target "cloning" {
  dockerfile = "Dockerfile"
  platforms  = ["linux/amd64"]
  args       = { GROUP = "cloning", WEIGHTS = WEIGHTS }
  tags       = ["${REPOSITORY}:${VERSION}-cloning"]
}
