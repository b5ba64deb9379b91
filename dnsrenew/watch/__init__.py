"""What others hear of the certificates: messages, a heartbeat and metrics."""
