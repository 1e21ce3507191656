"""Controls: the process of every case and the rules that nobody gets around."""
