"""The wire format: records, envelopes, bodies, signatures."""
