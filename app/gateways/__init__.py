"""Adapters to the outside parties: a word in, words out. Trouble outside is an answer, no error."""
