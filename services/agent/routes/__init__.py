"""Routes of the agent service; they only translate."""
