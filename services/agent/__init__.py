"""The agent service: ReAct steps (ids in, ids out) and the OpenAI routes, over a back end that can be exchanged."""
