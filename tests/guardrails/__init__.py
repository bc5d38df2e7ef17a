"""What must never slip: who may enter, addresses that are printed, migrations."""
