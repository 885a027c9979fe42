"""A worker process: Faust and RocksDB around the delivery engine."""
