"""The tests: unit, properties, simulation, wire, shell, integration, architecture."""
