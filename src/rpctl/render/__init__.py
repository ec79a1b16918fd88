"""Views of results, and the formats that show them: table, tsv, csv, json, jsonl."""
