"""What the deployment promises, looked at in its files: no container engine runs here."""
