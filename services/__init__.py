"""Long-running processes: one package per service, none importing another but the environment framework."""
