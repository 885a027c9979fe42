"""Who may act: people and their tokens, who is signed in, how often somebody may ask."""
