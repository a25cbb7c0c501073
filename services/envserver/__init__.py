"""The framework of the environment servers: sessions, leases, replay and HTTP over any Environment."""
