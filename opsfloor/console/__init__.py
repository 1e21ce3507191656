"""The floor in the browser, where there is no Grafana: the same questions, asked of the same Prometheus."""
