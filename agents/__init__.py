"""The rooms: one thin file a step of the workflow. Rooms meet on topics, never in imports."""
