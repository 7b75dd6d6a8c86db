"""Short programs that must do here what they do in MXNet: rows by subject, and what MXNet answers."""
