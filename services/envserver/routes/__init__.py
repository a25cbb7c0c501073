"""HTTP routes: each reads a request, calls the service, writes its answer, and nothing else."""
