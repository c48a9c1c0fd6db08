// docker buildx bake embedded         one image a group; those whose engines are built are in `default`

variable "REPOSITORY" { default = "worker-tts" }
variable "VERSION" { default = "dev" }
variable "WEIGHTS" { default = "0" }

group "default" { targets = ["embedded"] }

target "embedded" {
  dockerfile = "Dockerfile"
  platforms  = ["linux/amd64"]
  args       = { GROUP = "embedded", WEIGHTS = WEIGHTS }
  tags       = ["${REPOSITORY}:${VERSION}-embedded"]
}
