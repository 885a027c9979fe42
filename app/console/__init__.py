"""The console: the HTTP API for programs and the pages for people."""
