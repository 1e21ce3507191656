"""All real processors over a bus and a store in memory, with faults drawn from one seed."""
