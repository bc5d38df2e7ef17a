"""What tests share: databases, a clock that obeys, a whole clinic of real processes."""
