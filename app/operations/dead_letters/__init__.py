"""Operations on dead letters: list, edit, redrive, discard.

`dead_letter`, `status`, `selection` and `editing` are pure. `reader` reads dead letters and their
status from the broker, `redrive` sends them back.
"""
