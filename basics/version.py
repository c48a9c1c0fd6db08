"""The worker's own version, as `system.health` and the stamp on its files tell it."""

VERSION = "0.1.0"
