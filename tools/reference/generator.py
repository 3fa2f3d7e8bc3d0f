"""What makes up persons for the references: the same numbers everywhere and for ever."""


class Generator:
    """A linear congruential generator: the same everywhere."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % n
