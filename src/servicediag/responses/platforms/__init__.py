"""One module a survey platform: how its export is laid out."""
