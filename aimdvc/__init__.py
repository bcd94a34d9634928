"""Git-style versioning for artifacts: data sets, models, anything too big for a code repository."""
