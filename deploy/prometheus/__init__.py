"""Prometheus: the page of metrics, objectives, rules, alerts and their tests; all generated, all committed."""
