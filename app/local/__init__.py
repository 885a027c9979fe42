"""What a laptop needs: supervisor, embedded broker, demo, importers, simulators."""
