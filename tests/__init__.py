"""The tests: unit, properties, simulation, wire, engine, integration, architecture."""
