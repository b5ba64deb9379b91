"""What must hold when something breaks: servers, disks, networks, input, the process itself."""
