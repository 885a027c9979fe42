"""What lies on the wire: records, envelopes, bodies, signatures."""
