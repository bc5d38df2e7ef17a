"""What an attacker tries: dying processes, nonsense at every door, wrong hosts and forged forms."""
