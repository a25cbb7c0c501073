"""What every HTTP service has in common: problem details, token, size limit, JSON in and out, request latency."""
