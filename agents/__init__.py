"""The agents: one thin file a step of the workflow. Agents meet on topics, never in imports."""
