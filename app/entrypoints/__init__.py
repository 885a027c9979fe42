"""One file a workflow, or an external system: its HTTP requests, and the messages they become."""
