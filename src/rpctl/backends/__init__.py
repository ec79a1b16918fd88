"""Where points live; `open_backend` is the only place that knows the backends' names."""
