"""Pure rules of the clinic: no Flask, no database, no network, no clock (time is an argument)."""
