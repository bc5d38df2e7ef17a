"""The pages of people with an account."""
