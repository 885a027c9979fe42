"""The agents: one thin file for each step of a workflow. They meet on topics, never in imports."""
