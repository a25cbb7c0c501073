"""A vLLM server behind the agent service: its process, its HTTP interface, and what keeps both serving."""
