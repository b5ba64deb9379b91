"""What holds when servers, disks, networks, input or the process itself fail."""
