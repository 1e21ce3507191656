"""The world around the floor: branches, operators, a core bank, an auditor, and a day of them all."""
