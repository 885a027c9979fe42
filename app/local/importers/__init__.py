"""Files of shops, read as requests to Payflow."""
