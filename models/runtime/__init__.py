"""A decode runtime for speech language models. Its files import torch: only what an engine loads imports them."""
