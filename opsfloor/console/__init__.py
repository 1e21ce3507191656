"""The floor in the browser: the control room of reroutes, and the dashboards' questions where there is no Grafana."""
