"""What can be asked. One entry for every door: `answer`."""
