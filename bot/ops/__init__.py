"""What running a process takes, whatever it does: logs, and what differs between operating systems."""
