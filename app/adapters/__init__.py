"""The outside, one module each. What leaves and enters here are domain values."""
