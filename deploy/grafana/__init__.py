"""Grafana: ten dashboards from tables of questions, built by the SDK, committed as JSON."""
