"""CSV files to changes: columns, reader, plan, rejects, and the run that applies them through the port."""
